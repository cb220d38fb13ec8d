"""A de-identification REST service: the reference server that trials of its chart are run against."""

SERVICE = "openmed-rest"
VERSION = "1.7.0"
