# frozen_string_literal: true

module Passenger
  # Generated from Cargo.toml by `rake version`.
  VERSION = "7.0.0"
end
