# frozen_string_literal: true

# For `gem "passenger"` in a Gemfile: an application is served without it, but can say `Passenger.on` elsewhere, too.
require_relative "passenger/hooks"
require_relative "passenger/unforkable"
require_relative "passenger/version"
