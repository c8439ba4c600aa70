//! Flags, environment, file and defaults, validated once into one configuration.
