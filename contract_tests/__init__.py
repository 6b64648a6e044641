"""A contract test suite for the customer payments of the Alvys TMS: one suite, any target."""
