"""A source's own words in the hub's errors: of a text that may name anybody, only the words that errors are made of are shown.

No pattern finds a name. So it is the other way round: what is not known to be harmless is cut out and marked by "…".
"""

import re

__all__ = ["quiet", "quiet_code"]

#: Longest first where one begins another. Ordinary words of errors; none of them is a surname or a given name alone.
_HAN = """
参数 错误 异常 失败 成功 签名 验签 加密 解密 令牌 密钥 应用 应用标识 授权 未授权 鉴权 认证 权限 无权限 无权 无效 有效
失效 过期 已过期 不存在 不能为空 为空 不能 不可 不支持 不允许 不合法 非法 不正确 不匹配 不一致 缺少 缺失 必填 必须
未知 未找到 找不到 没有 无法 重复 已存在 超出 超过 超限 限制 限流 频繁 过于频繁 次数 上限 配额 额度 用完 用尽 超时
繁忙 系统 系统繁忙 服务 服务器 内部 网关 接口 请求 请求头 响应 返回 数据 数据库 数据源 查询 调用 访问 登录 请登录
重新登录 未登录 用户 用户名 密码 账号 帐号 账户 会话 时间 时间戳 日期 开始 结束 格式 类型 长度 大小 分页 页码 每页
条数 记录 字段 名称 编码 代码 状态 版本 地址 路径 文件 解析 读取 写入 连接 断开 拒绝 禁止 维护 正在 暂停 停用 禁用
冻结 锁定 稍后 稍候 再试 重试 请稍后再试 请联系 联系 管理员 检查 确认 今日 今天 当日 当天 明日 分钟 小时 范围 区域
区划 白名单 黑名单 来源 目标 执行 操作 处理 处理中 提交 信息 工单 事件 案件 任务 库 不可用 或者 消息 提示 原因 详情
未开通 开通 订阅 未订阅 申请 审批 未通过 通过 校验 验证 验证码 身份 已被 被 的 请 或 和 与 及 未 已 不 无 为 是 在 中
了 该 此 有
"""
_LATIN = """
a an the is are was were be been not no none null of in on at to for from by with or and too many much more less than
only must should can cannot could please your you this that it its has have had out up down after before until while
when which there error errors failed failure fail invalid valid missing required require requires requested request
requests response answer returned return unknown unexpected unsupported supported support illegal wrong bad incorrect
mismatch match matches mismatched sign signature signed signing token tokens key keys app appkey appid api id secret
access refresh auth authentication authenticate authenticated authorization authorized unauthorized unauthenticated
forbidden denied permission permissions privilege login logged session expired expires expire expiry password username
user account client server service gateway system internal external host port network connection connect connected
closed reset refused timeout timed time timestamp date begin start end since page pages size limit limits limited
exceeded exceeds exceed quota rate frequency frequent often busy retry again later try wait seconds minutes hours
today day daily per maintenance unavailable available temporarily parameter parameters param params argument field
fields value values type format length number count total code status message msg data database table column row rows
record records query sql syntax view file path url uri method post get put body header headers content json xml html
parse parsing parsed read reading write empty blank exist exists found duplicate already locked lock disabled enabled
disable inactive active allowed allow blocked block ip list white black version operation execute executing process
processing exception cause reason detail details nested invoke call called overflow memory disk full space resource
jurisdiction provided does did do spent thread pool license licence trial contact administrator admin ok http https
soap rpc ssl tls certificate encoding decode decoding encode charset utf gbk ora
"""
_HAN_WORDS = sorted(_HAN.split(), key=len, reverse=True)
_HAN_KNOWN = frozenset(_HAN_WORDS)
_LATIN_WORDS = frozenset(_LATIN.split())
_TOKEN = re.compile("|".join(("[A-Za-z0-9_]+", *_HAN_WORDS, r"[^\W_]", ".")))
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_HARMLESS_DIGITS = 5
#: Numbers of people and keys look like this.
_PRIVATE = re.compile(r"\d{6,}|[A-Za-z0-9+/=_-]{20,}")
_CODE = re.compile(r"[A-Za-z0-9_.:-]+")


def quiet(text: str, limit: int = 120) -> str:
    """A source's own words, short and on one line, as far as they are words of errors; the rest is "…"."""
    tokens = _TOKEN.findall(" ".join(text.split()))
    shown = "".join(
        token if kept else "\0"
        for token, kept in zip(tokens, _beside([_known(token) for token in tokens], tokens), strict=True)
    )
    shown = re.sub("\0+", "…", shown)
    return shown[:limit]


def quiet_code(text: str, limit: int = 40) -> str:
    """A source's code or name of an element: one short ASCII word is shown unless it is long enough for a number of a person
    or a key; anything else is words."""
    return _PRIVATE.sub("…", text)[:limit] if _CODE.fullmatch(text) else quiet(text, limit)


def _beside(known: list[bool], tokens: list[str]) -> list[bool]:
    """A single sign beside what is cut may be part of it: 有 and 为 stand in given names. So it is cut too."""
    for places in (range(len(known)), reversed(range(len(known)))):
        cut = False
        for place in places:
            token = tokens[place]
            cut = not known[place] or (cut and len(token) == 1 and token.isalpha())
            known[place] = known[place] and not cut
    return known


def _known(token: str) -> bool:
    if not token[0].isalnum():
        return token.isprintable()
    if not token.isascii():
        return token in _HAN_KNOWN
    parts = _PART.findall(token)
    return all(part.lower() in _LATIN_WORDS or (part.isdigit() and len(part) <= _HARMLESS_DIGITS) for part in parts)
