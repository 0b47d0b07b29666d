"""The steps from one schema to the next. A step that is released never changes."""
