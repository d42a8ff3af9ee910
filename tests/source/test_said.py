"""Of a source's own words only those that errors are made of are shown: no pattern finds a person's name."""

import pytest

from hub.source.said import quiet, quiet_code

SHOWN = {
    "用户张三无权限": "用户…无权限",
    "参数错误：张有为": "参数错误：…",
    "签名错误": "签名错误",
    "系统繁忙，请稍后再试": "系统繁忙，请稍后再试",
    "手机号 13812345678 不存在": "… … 不存在",
    "身份证330702199001011234校验失败，当事人：欧阳娜娜": "身份…校验失败，…：…",
    "invalid sign for Zhang San": "invalid sign for … …",
    "Required parameter 'beginTime' is missing": "Required parameter 'beginTime' is missing",
    "no such user: rose": "no … user: …",
    "Invalid field: ReporterName=Li Lei": "Invalid field: …=… …",
    "access_token expired": "access_token expired",
    "ORA-00942: table or view does not exist": "ORA-00942: table or view does not exist",
    "请求\n\t失败\x1b[2J\u202e": "请求 失败…[…",
    "": "",
}


@pytest.mark.parametrize("text", SHOWN)
def test_words_of_errors_stay_and_the_rest_goes(text: str) -> None:
    assert quiet(text) == SHOWN[text]


@pytest.mark.parametrize(
    "name", ["张三", "王为", "李有为", "欧阳无", "Rose Li", "wang_wei", "ZhangSan", "李 数据", "ÅngströmPär"]
)
@pytest.mark.parametrize(
    "frame", ["{}", "用户{}不存在", "参数错误：{}", "user {} not found", "[{}]", "请{}重试", "“{}”"]
)
def test_no_name_is_left(name: str, frame: str) -> None:
    shown = quiet(frame.format(name))
    assert name not in shown
    assert not any(sign in shown for sign in set(name) & set("张三王李欧阳"))


def test_it_is_short() -> None:
    assert len(quiet("错误" * 1000)) == 120


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("1001", "1001"), ("isv.invalid-parameter", "isv.invalid-parameter"), ("False", "False"), ("13812345678", "…"),
        ("张三", "…"), ("bad Rose", "bad …"), ("a" * 30, "…"),
    ],
)  # fmt: skip
def test_codes(code: str, shown: str) -> None:
    assert quiet_code(code) == shown
