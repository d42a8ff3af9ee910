"""Where alarms go: the section `[alarms]` of hub.toml."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr

__all__ = ["AlarmSettings"]


class AlarmSettings(BaseModel):
    """Who is told that a freshness objective is missed or a source has gone quiet, once as it begins, once as it ends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    log: bool = Field(True, description="Alarms also stand in the log, as warnings.")
    webhook: SecretStr | None = Field(
        None, description="Address that gets every alarm as JSON by POST.", examples=["${file:secrets/alarm.webhook}"]
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="Key of the webhook's signature (Standard Webhooks: `whsec_` and base64, or any text).",
        examples=["${file:secrets/alarm.key}"],
    )
    robot: SecretStr | None = Field(
        None,
        description="Address of a DingTalk group robot, its access_token included, or of one that speaks like it.",
        examples=["${file:secrets/robot.url}"],
    )
    robot_secret: SecretStr | None = Field(
        None, description="The robot's signing key, `SEC…`, if it has one.", examples=["${file:secrets/robot.key}"]
    )
    proxy: str | None = Field(
        None, description="Proxy for webhook and robot.", repr=False, examples=["http://proxy.example.gov.cn:3128"]
    )
