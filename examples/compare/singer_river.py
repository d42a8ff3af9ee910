from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import BearerTokenAuthenticator
from singer_sdk.pagination import BasePageNumberPaginator


class RiverPaginator(BasePageNumberPaginator):
    def has_more(self, response):
        return len(response.json()["data"]["rows"]) == 200


class Findings(RESTStream):
    name = "findings"
    path = "/api/findings"
    primary_keys = ("id",)
    replication_key = "updatedAt"
    is_sorted = True
    records_jsonpath = "$.data.rows[*]"
    schema = th.PropertiesList(
        th.Property("id", th.StringType),
        th.Property("title", th.StringType),
        th.Property("state", th.StringType),
        th.Property("foundAt", th.StringType),
        th.Property("updatedAt", th.DateTimeType),
    ).to_dict()

    @property
    def url_base(self):
        return self.config["base_url"]

    @property
    def authenticator(self):
        return BearerTokenAuthenticator(token=self.config["token"])

    def get_new_paginator(self):
        return RiverPaginator(1)

    def get_url_params(self, context, next_page_token):
        params = {"page": next_page_token, "size": 200, "sort": "updatedAt"}
        if since := self.get_starting_timestamp(context):
            params["from"] = since.isoformat()
        return params

    def validate_response(self, response):
        super().validate_response(response)
        if response.json()["code"] != 0:
            raise RuntimeError(response.json().get("message"))


class TapRiver(Tap):
    name = "tap-river"
    config_jsonschema = th.PropertiesList(
        th.Property("base_url", th.StringType, required=True),
        th.Property("token", th.StringType, required=True, secret=True),
        th.Property("start_date", th.DateTimeType),
    ).to_dict()

    def discover_streams(self):
        return [Findings(self)]
