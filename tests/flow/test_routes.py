"""How the routes stand in the application: once each, and those of the API with what the whole API promises."""

from fastapi.routing import APIRoute

from app.core.query import known_query
from app.core.settings import Settings
from app.main import ROUTERS, create_app


def test_each_route_stands_in_the_application_as_its_own_file_made_it(tmp_path):
    standing = {id(route) for route in create_app(Settings(data_dir=tmp_path)).routes}
    for router in ROUTERS:
        assert router.routes
        assert all(isinstance(route, APIRoute) and id(route) in standing for route in router.routes), router.prefix


def test_every_operation_of_the_api_refuses_query_keys_that_it_does_not_know(tmp_path):
    operations = [
        route
        for route in create_app(Settings(data_dir=tmp_path)).routes
        if isinstance(route, APIRoute) and route.include_in_schema
    ]
    assert len(operations) > 100
    for route in operations:
        assert route.path.startswith("/api/v1/"), route.path
        assert known_query in [each.call for each in route.dependant.dependencies], route.path
