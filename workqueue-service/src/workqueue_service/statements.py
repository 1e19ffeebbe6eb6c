"""The SQL of the service, by file."""

from chassis.queries import Queries

jobs = Queries.beside(__file__, "jobs.sql")
elements = Queries.beside(__file__, "elements.sql")
listings = Queries.beside(__file__, "listings.sql")
sites = Queries.beside(__file__, "sites.sql")
house = Queries.beside(__file__, "house.sql")
