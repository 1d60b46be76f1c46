"""Appeals: authors read the reasons of a restriction and contest it; another person decides."""
