"""What `passenger._native` does, in Python alone, for interpreters that cannot load the extension; slower."""
