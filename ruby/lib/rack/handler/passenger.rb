# frozen_string_literal: true

# For Rack 2: `rackup -s passenger`.
require "rack/handler"
require "passenger/rack_handler"

Rack::Handler.const_set(:Passenger, Passenger::RackHandler)
Rack::Handler.register("passenger", "Rack::Handler::Passenger")
