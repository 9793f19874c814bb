"""What the language stands on: errors, source lines, settings, signals, frozen dataclasses."""
