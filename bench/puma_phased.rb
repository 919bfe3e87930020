# frozen_string_literal: true

# What Puma needs to restart its workers one after the other.
preload_app! false
