# frozen_string_literal: true

require_relative "../support/test_helper"

class ResponseTest < PassengerTest
  def test_a_small_response_is_one_frame
    frames = answer { [201, { "content-type" => "text/plain" }, ["hello", " world"]] }

    assert_equal [:response, 201, "hello world"], [frames.last.kind, frames.last.aux, frames.last.body]
    assert_equal [%w[content-type text/plain]], frames.last.headers
    assert_equal 1, frames.size
  end

  def test_the_service_time_is_in_the_last_frame
    frame = answer { sleep(0.05) && [200, {}, []] }.last

    assert_includes 50_000..2_000_000, frame.value
  end

  def test_several_values
    headers = { "Set-Cookie" => "a=1\nb=2\n", "set-cookie" => %w[c=3 d=4], "x-empty" => "", "x-none" => [] }
    frame = answer { [200, headers, []] }.last

    assert_equal [%w[Set-Cookie a=1], %w[Set-Cookie b=2], %w[set-cookie c=3], %w[set-cookie d=4], ["x-empty", ""]],
                 frame.headers
  end

  def test_what_is_not_quite_rack
    frame = answer { ["200", { "x-number" => 1, x_symbol: :a, "x-nil" => nil, "x-list" => [1, 2] }, ["ok"]] }.last

    assert_equal [%w[x-number 1], %w[x_symbol a], %w[x-list 1], %w[x-list 2]], frame.headers
    assert_equal [200, "ok"], [frame.aux, frame.body]
  end

  def test_headers_as_pairs
    frame = answer { [200, [%w[a 1], %w[b 2], %w[a 3]], ["ok"]] }.last

    assert_equal [%w[a 1], %w[a 3], %w[b 2]], frame.headers
  end

  def test_header_hash
    headers = defined?(Rack::Headers) ? Rack::Headers : Rack::Utils::HeaderHash
    frame = answer { [200, headers["content-type" => "text/plain"], ["ok"]] }.last

    assert_equal [["content-type", "text/plain"]], frame.headers
  end

  def test_invalid_responses_are_errors
    {
      [200, { "a b" => "c" }, []] => /the header "a b" can't be sent/,
      [200, { "a" => "b\r\nc: d" }, []] => /the header "a" can't be sent with the value "b\\r\\nc: d"/,
      [200, { "a" => ["b\0"] }, []] => /the header "a" can't be sent/,
      [200, { "" => "b" }, []] => /the header "" can't be sent/,
      [100, {}, []] => /100 is no status for a response/,
      [101, {}, []] => /101 is no status/,
      [1000, {}, []] => /1000 is no status/,
      [-1, {}, []] => /-1 is no status/,
      [200, nil, []] => /the application returned NilClass where the response headers should be/,
      [200, {}, nil] => /a response body must respond to each or call; this is NilClass/,
      [200, {}, [1]] => /the parts of a response body must be strings/,
      [200, { "a" => "b" * (1 << 20) }, []] => /over the limit/,
      nil => /the application returned NilClass/
    }.each do |response, message|
      frames = nil
      text = log { frames = answer { response } }

      assert_equal [500], frames.map(&:aux), response.inspect[0, 100]
      assert_match message, text
    end
  end

  def test_bodies_of_all_sizes
    [16_383, 16_384, 100_000, 128 * 1024, 128 * 1024 + 1, 1 << 20, 3_000_000].each do |size|
      body = Random.bytes(size)
      one = answer { [200, {}, [body]] }
      two = answer { [200, {}, [body.byteslice(0, 10), body.byteslice(10..)]] }

      assert_equal body, one.map(&:body).join
      assert_equal body, two.map(&:body).join
      next assert_equal(1, one.size, size) if size <= 128 * 1024

      # The head, a frame for each full or last part, and the end.
      assert_equal 3 + (size - 1).div(128 * 1024), one.size, size
      assert_equal [["content-length", size.to_s]], one.first.headers
    end
  end

  def test_the_length_of_a_large_body_is_not_said_twice
    frames = answer { [200, { "Content-Length" => "2000000" }, ["a" * 2_000_000]] }

    assert_equal [%w[Content-Length 2000000]], frames.first.headers
  end

  def test_a_large_body_is_sent_while_the_agent_is_slow
    body = "x" * 5_000_000
    slot = serve { [200, {}, [body]] }
    slot.write(Frames.request)
    sleep(0.1)

    assert_equal body.bytesize, slot.receive_answer.sum { |frame| frame.body.bytesize }
  end

  def test_no_body_for_head_and_some_statuses
    body = Body.new(["x"])
    app = ->(_env) { [200, { "content-length" => "1" }, body] }
    frames = answer(app, request: { method: "HEAD" })

    assert_equal [["", true]], (frames.map { |frame| [frame.body, frame.end?] })
    assert_equal [0, 1], [body.iterated, body.closed]
    [["HEAD", 200], ["GET", 204], ["GET", 304]].product([["x"], Body.new(["x"])]) do |(method, status), parts|
      frames = answer(request: { method: method }) { [status, {}, parts] }

      assert_equal [["", status]], (frames.map { |frame| [frame.body, frame.aux] })
    end
  end

  def test_a_file
    Tempfile.create do |file|
      file.write("0123456789")
      file.flush
      body = Body.new([])
      body.define_singleton_method(:to_path) { file.path }
      slot = serve { [200, { "x" => "y" }, body] }
      frames = slot.exchange

      assert_equal %i[response file], frames.map(&:kind)
      assert_equal [0, 10], frames.last.range
      assert_equal "0123456789", slot.files.first.read
      assert_equal [0, 1], [body.iterated, body.closed]
    end
  end

  def test_a_file_that_is_not_meant_as_a_whole
    Tempfile.create do |file|
      file.write("0123456789")
      file.flush
      [["2", file.path], [nil, "/nonexistent"], [nil, "/dev/null"], [nil, Dir.pwd]].each do |length, path|
        body = Body.new(%w[23])
        body.define_singleton_method(:to_path) { path }
        frames = answer { [200, { "content-length" => length }, body] }

        assert_equal "23", frames.map(&:body).join
      end
    end
  end

  def test_an_array_in_body_proxies_is_one_frame
    closed = []
    body = Rack::BodyProxy.new(Rack::BodyProxy.new(%w[a b]) { closed << 1 }) { closed << 2 }
    frames = answer { [200, {}, body] }

    assert_equal [[:response, "ab", true]], (frames.map { |frame| [frame.kind, frame.body, frame.end?] })
    assert_equal [1, 2], closed
  end

  def test_rack_3_bodies_that_become_arrays_close_themselves
    body = Body.new([])
    body.define_singleton_method(:to_ary) { close && %w[a b] }
    frames = as_rack_3 { answer { [200, {}, body] } }

    assert_equal [[:response, "ab", true]], (frames.map { |frame| [frame.kind, frame.body, frame.end?] })
    assert_equal [0, 1], [body.iterated, body.closed]
  end

  def test_rack_3_bodies_that_do_not_become_arrays
    body = Body.new(%w[a b])
    body.define_singleton_method(:to_ary) { nil }
    frames = as_rack_3 { answer { [200, {}, body] } }

    assert_equal "ab", frames.map(&:body).join
    assert_equal [1, 1], [body.iterated, body.closed]
  end

  def as_rack_3
    before = Passenger::Response.send(:remove_const, :RACK_3)
    Passenger::Response.const_set(:RACK_3, true)
    yield
  ensure
    Passenger::Response.send(:remove_const, :RACK_3)
    Passenger::Response.const_set(:RACK_3, before)
  end

  # An enumerable body that counts.
  class Body
    attr_reader :iterated, :closed

    def initialize(parts)
      @parts = parts
      @iterated = @closed = 0
    end

    def each(&block)
      @iterated += 1
      @parts.each(&block)
    end

    def close
      @closed += 1
    end
  end
end
