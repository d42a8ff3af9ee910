"""What a database refuses, told so that the operator looks in the right place."""

import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from hub.errors import HubError, MisconfiguredError, UnavailableError
from hub.store import Store
from hub.store.refusals import translated

_AT = 'connection failed: connection to server at "127.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (_AT + 'FATAL:  password authentication failed for user "hub"', MisconfiguredError),
        (_AT + "fe_sendauth: no password supplied", MisconfiguredError),
        (_AT + 'FATAL:  database "hup" does not exist', MisconfiguredError),
        (_AT + '致命错误:  用户 "hub" Password 认证失败', MisconfiguredError),
        (_AT + '致命错误:  数据库 "hup" 不存在', MisconfiguredError),
        (_AT + 'FATAL:  no pg_hba.conf entry for host "10.0.0.1"', MisconfiguredError),
        ('invalid connection option "sslmodd"', MisconfiguredError),
        (_AT + "FATAL:  sorry, too many clients already", UnavailableError),
        (_AT + "FATAL:  the database system is starting up", UnavailableError),
        (_AT + "Connection refused", UnavailableError),
    ],
)
def test_who_is_kept_out_need_not_come_again(said: str, kind: type[HubError]) -> None:
    error = DBAPIError.instance("", None, psycopg.OperationalError(said), psycopg.Error, hide_parameters=True)
    assert isinstance(error, DBAPIError)
    assert type(translated(error)) is kind


def test_a_password_with_an_at_sign_is_not_told_as_a_host() -> None:
    with pytest.raises(MisconfiguredError) as caught:
        Store("postgresql://hub:half@other-half@db/hub")
    assert "%40" in str(caught.value)
    assert "half" not in str(caught.value)


def test_a_disk_that_fails_is_no_reason_to_restore_a_backup() -> None:
    error = DBAPIError.instance(
        "", None, sqlite3.OperationalError("disk I/O error"), sqlite3.Error, hide_parameters=True
    )
    assert isinstance(error, DBAPIError)
    assert "quota" in str(translated(error))
    assert "backup" not in str(translated(error))
