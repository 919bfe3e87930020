# frozen_string_literal: true

# For Rack 3: `rackup -s passenger`.
require "rackup/handler"
require "passenger/rack_handler"

Rackup::Handler.register("passenger", Passenger::RackHandler)
