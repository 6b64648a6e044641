"""The document in other people's tools: linters, Postman and Swagger UI."""
