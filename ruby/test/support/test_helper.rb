# frozen_string_literal: true

lib = File.expand_path("../../lib", __dir__)
$LOAD_PATH.unshift(lib)
ENV["PASSENGER_RUBY_EXT"] ||= File.expand_path("../../../target/debug/libpassenger_ruby.so", __dir__)

require "minitest/autorun"
require "rack"
require "socket"
require "stringio"
require "tempfile"
require "timeout"
require "passenger/app"
require "passenger/extension"

Passenger::Extension.load
require "passenger/request_handler"
require_relative "frames"
require_relative "agent_end"
require_relative "child"
require_relative "slot"

# What all tests share.
class PassengerTest < Minitest::Test
  def setup
    @slots = []
  end

  def teardown
    @slots.each(&:close)
  end

  # A slot that serves +app+, for the test to be the agent of.
  def serve(app = nil, **options, &block)
    Slot.new(app || block, **options).tap { |slot| @slots << slot }
  end

  # Serves +app+ one GET request and returns all frames of the answer.
  def answer(app = nil, request: {}, **options, &block)
    serve(app, **options, &block).exchange(**request)
  end

  # What is written to standard error meanwhile.
  def log
    before = $stderr
    $stderr = StringIO.new
    yield
    $stderr.string
  ensure
    $stderr = before
  end
end
