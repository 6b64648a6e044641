"""The paths of the three operations, as the endpoint's own pages write them."""

PAYMENTS_PATH = "/api/p/v1.0/invoices/customer-payments"
LOADS_PATH = "/api/p/v1.0/loads"
SEARCH_PATH = "/api/p/v1.0/loads/search"
