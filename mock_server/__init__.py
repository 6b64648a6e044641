"""A mock of the customer payments of the Alvys TMS, driven by openapi.yaml."""
