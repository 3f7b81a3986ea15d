"""The service: settings, application, routes and schemas."""
