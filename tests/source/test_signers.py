"""Signing recipes against the test vectors of domain.md §1–3."""

import hashlib

from hub.source.signers import bg_hmac, dingtalk_hmac, gjgxjhpt, sha1_ts, sorted_query, tif_sha256, zj_md5


def test_zhejiang_gateway() -> None:
    assert zj_md5("demoKey330702", "demoSecret", "1700000000000") == "b76253de57e7f143a0c54dfd64d8c379"


def test_irs_gateway() -> None:
    path = "/restapi/prod/IC33000020990101000001/post"
    signature = bg_hmac("demoSK", "post", path, "a=1&b=2", "demoAK", "Tue, 09 Nov 2021 08:49:20 GMT")
    assert signature == "Lr8QsthYJxl3ar/4q+Ruk7nDtlxY9OtbAj3+eCIfUNw="


def test_dingtalk() -> None:
    signature = dingtalk_hmac(
        "demoSecret",
        "POST",
        "2021-11-09T16:49:20.000+08:00",
        "16364477600001234",
        "/gettoken.json",
        {"appsecret": "demoSecret", "appkey": "demoKey"},
    )
    assert signature == "wGIzJ7ZeXxwLtTOZXz7Ga4ifAfwz4HqPJucoWiXLcIA="


def test_dingtalk_repeats_the_key_of_a_list_and_leaves_out_empty_params() -> None:
    one = dingtalk_hmac("s", "GET", "t", "n", "/p", {"b": ["2", "1"], "a": "0"})
    assert one != dingtalk_hmac("s", "GET", "t", "n", "/p", {"b": ["1", "2"], "a": "0"})
    assert dingtalk_hmac("s", "GET", "t", "n", "/p") == dingtalk_hmac("s", "GET", "t", "n", "/p", {})


def test_national_exchange() -> None:
    assert (
        gjgxjhpt("demoAppSecret", "s_demo", "rid-demo", "1700000000000")
        == "vOboSGNMGgcjvMJYbp+LE84Gs/Wzw+l4t4jkcWky4Yc="
    )


def test_tif() -> None:
    expected = "77d99cf87b85b280852ce93988ebe88104a832db7b65342f09152b8fe2fd9ac5"
    assert tif_sha256("demoToken", "1700000000", "abc-1") == expected


def test_district_push() -> None:
    expected = hashlib.sha1(b"keysecret1700000000000", usedforsecurity=False).hexdigest()
    assert sha1_ts("key", "secret", "1700000000000") == expected


def test_a_canonical_query_is_sorted_as_sent() -> None:
    assert sorted_query("b=2&a=%E4%B8%AD&") == "a=%E4%B8%AD&b=2"
    assert sorted_query("") == ""
