"""The named queries of auth-service."""

from chassis.queries import Queries

sql = Queries.beside(__file__)
