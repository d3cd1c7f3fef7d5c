"""From YAML and a command line to checked settings: composition, schema, and the components that can be named."""
