import dlt
from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator
from dlt.sources.rest_api import rest_api_resources


@dlt.source
def river(base_url: str = dlt.config.value, token: str = dlt.secrets.value):
    yield from rest_api_resources(
        {
            "client": {
                "base_url": base_url,
                "auth": {"type": "bearer", "token": token},
                "paginator": PageNumberPaginator(base_page=1, page_param="page", total_path=None),
            },
            "resources": [
                {
                    "name": "findings",
                    "primary_key": "id",
                    "write_disposition": "merge",
                    "endpoint": {
                        "path": "/api/findings",
                        "data_selector": "data.rows",
                        "params": {
                            "size": 200,
                            "sort": "updatedAt",
                            "from": "{incremental.start_value}",
                        },
                        "incremental": {
                            "cursor_path": "updatedAt",
                            "initial_value": "2026-01-01T00:00:00+08:00",
                            "lag": 600,
                        },
                    },
                }
            ],
        }
    )
