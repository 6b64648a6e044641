"""The paths of the operations, as their own pages write them."""

PAYMENTS_PATH = "/api/p/v1.0/invoices/customer-payments"
LOADS_PATH = "/api/p/v1.0/loads"
SEARCH_PATH = "/api/p/v1.0/loads/search"
INVOICES_PATH = "/api/p/v1.0/invoices"
INVOICE_SEARCH_PATH = "/api/p/v1.0/invoices/search"
