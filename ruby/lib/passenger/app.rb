# frozen_string_literal: true

module Passenger
  # What the agent wants to be served. +root+ and +startup_file+ are absolute paths.
  App = Struct.new(:root, :startup_file, :environment, :multithread, :show_errors, keyword_init: true)
end
