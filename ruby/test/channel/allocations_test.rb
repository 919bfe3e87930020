# frozen_string_literal: true

require_relative "../support/test_helper"

class AllocationsTest < PassengerTest
  HEADERS = {
    "host" => "example.com", "user-agent" => "Mozilla/5.0 (X11; Linux x86_64)", "accept" => "text/html,*/*;q=0.8",
    "accept-encoding" => "gzip, deflate", "accept-language" => "en", "connection" => "keep-alive", "cookie" => "a=b",
    "referer" => "http://example.com/", "X-Request-Id" => "0123456789abcdef", "X-Foo" => "bar"
  }.freeze
  RESPONSE = [200, { "content-type" => "text/plain" }, ["ok"]].freeze

  def test_at_most_thirty_objects_for_a_request_with_ten_headers
    skip "the collector allocates" if ENV["GC_STRESS"]
    counts = []
    app = lambda do |_env|
      counts << GC.stat(:total_allocated_objects)
      RESPONSE
    end
    slot = serve(app)
    # All are queued before the first is answered, so that only the handler allocates.
    app.singleton_class # warms nothing up, but makes the lambda's own allocations the same each time
    slot.write(Frames.request("/path?query", headers: HEADERS) * 100)
    100.times { slot.receive }
    objects = counts.each_cons(2).map { |before, after| after - before }.tally.max_by(&:last).first

    assert_includes 10..30, objects
  end
end
