"""An API's document, as a provider would import it."""

from typing import Any

WEATHER: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Weather", "version": "2.1", "description": "Weather for **cities**."},
    "servers": [{"url": "https://weather.example/base"}],
    "tags": [{"name": "Forecasts", "description": "What comes."}, {"name": "Batches"}],
    "paths": {
        "/v1/forecast/{city}": {
            "parameters": [{"$ref": "#/components/parameters/City"}],
            "get": {
                "tags": ["Forecasts"],
                "operationId": "forecast",
                "summary": "The forecast of a city",
                "parameters": [
                    {
                        "name": "days",
                        "in": "query",
                        "description": "How many.",
                        "schema": {"type": "integer", "minimum": 1, "maximum": 14},
                        "example": 3,
                    },
                    {
                        "name": "X-Units",
                        "in": "header",
                        "schema": {"type": "string", "enum": ["metric", "imperial"]},
                    },
                ],
                "responses": {
                    "200": {
                        "description": "Days.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    }
                },
            },
        },
        "/v1/batches": {
            "post": {
                "tags": ["Batches"],
                "summary": "Ask for many cities",
                "requestBody": {"$ref": "#/components/requestBodies/Batch"},
                "responses": {"202": {"description": "Taken."}},
            }
        },
        "/v1/batches/{id}/events": {
            "get": {
                "tags": ["Batches"],
                "summary": "Follow a batch",
                "responses": {
                    "200": {"description": "Events.", "content": {"text/event-stream": {}}}
                },
            }
        },
    },
    "components": {
        "parameters": {
            "City": {"name": "city", "in": "path", "required": True, "schema": {"type": "string"}}
        },
        "requestBodies": {
            "Batch": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Batch"}}},
            }
        },
        "schemas": {
            "Batch": {
                "type": "object",
                "required": ["cities"],
                "properties": {
                    "cities": {"type": "array", "items": {"type": "string"}},
                    "days": {"type": "integer", "default": 3},
                },
            }
        },
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
    },
}
