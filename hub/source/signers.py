"""Pure signing recipes of government gateways (domain.md §1–3): values in, text out. Each is held by the test vectors
there."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping

__all__ = ["bg_hmac", "dingtalk_hmac", "gjgxjhpt", "sha1_ts", "sorted_query", "tif_sha256", "zj_md5"]


def zj_md5(app_key: str, secret: str, request_time: str) -> str:
    """§1.1, Zhejiang public-data gateway. `request_time`: epoch milliseconds as text."""
    return hashlib.md5(f"{app_key}{secret}{request_time}".encode(), usedforsecurity=False).hexdigest()


def bg_hmac(secret_key: str, method: str, path: str, query: str, access_key: str, date: str) -> str:
    """§2, Zhejiang IRS gateway. `query` in canonical form (see sorted_query), `date` in RFC 1123 GMT."""
    return _hmac_base64(secret_key, f"{method.upper()}\n{path}\n{query}\n{access_key}\n{date}\n")


def dingtalk_hmac(
    secret: str,
    method: str,
    timestamp: str,
    nonce: str,
    path: str,
    params: Mapping[str, str | Iterable[str]] | None = None,
) -> str:
    """§3, 专有钉钉 / 浙政钉. `timestamp` is `yyyy-MM-ddTHH:mm:ss.SSS+08:00`, `nonce` epoch ms and four digits."""
    pairs = []
    for key, value in sorted((params or {}).items()):
        pairs += [f"{key}={one}" for one in ([value] if isinstance(value, str) else value)]
    text = f"{method.upper()}\n{timestamp}\n{nonce}\n{path}"
    return _hmac_base64(secret, text + ("\n" + "&".join(pairs) if pairs else ""))


def gjgxjhpt(key: str, service_id: str, requester_id: str, request_time: str) -> str:
    """§3, national data-sharing exchange. `request_time`: epoch milliseconds as text."""
    return _hmac_base64(key, service_id + requester_id + request_time)


def tif_sha256(token: str, timestamp: str, nonce: str) -> str:
    """§3, TIF / rio gateway. `timestamp`: epoch **seconds** as text."""
    return hashlib.sha256(f"{timestamp}{token}{nonce}{timestamp}".encode()).hexdigest()


def sha1_ts(app_key: str, app_secret: str, timestamp: str) -> str:
    """§3, district-to-city push. `timestamp`: epoch milliseconds as text."""
    return hashlib.sha1(f"{app_key}{app_secret}{timestamp}".encode(), usedforsecurity=False).hexdigest()


def sorted_query(raw_query: str) -> str:
    """The pairs of a query as sent, sorted by ASCII and joined with `&`."""
    return "&".join(sorted(part for part in raw_query.split("&") if part))


def _hmac_base64(secret: str, text: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()
