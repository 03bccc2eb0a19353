"""The table of services, one module per component."""
