# frozen_string_literal: true

require_relative "../support/test_helper"

class HijackTest < PassengerTest
  def test_full_hijack
    body = Struct.new(:closed) { def close = self.closed = true }.new
    slot = serve do |env|
      io = env["rack.hijack"].call
      raise "not the same" unless io.equal?(env["rack.hijack_io"]) && io.equal?(env["rack.hijack"].call)

      io.write("HTTP/1.1 200 OK\r\n\r\nraw")
      Thread.new { [io.write(io.readpartial(100).upcase), io.close] }
      [500, { "ignored" => "yes" }, body]
    end
    frames = slot.exchange

    assert_equal [[:upgrade, 1, true]], (frames.map { |frame| [frame.kind, frame.aux, frame.end?] })
    client = slot.files.first
    assert_equal "HTTP/1.1 200 OK\r\n\r\nraw", client.readpartial(100)
    # The slot is free while the connection goes on.
    assert_equal [:upgrade], slot.exchange.map(&:kind)
    client.write("echo")
    assert_equal "ECHO", client.read
    assert body.closed
  end

  def test_partial_hijack
    callable = ->(io) { [io.write("hello"), io.close] }
    frames = (slot = serve { [200, { "x" => "y", "rack.hijack" => callable }, []] }).exchange

    assert_equal [[:response, false], [:upgrade, true]], (frames.map { |frame| [frame.kind, frame.end?] })
    assert_equal [%w[x y]], frames.first.headers
    assert_equal "hello", slot.files.first.read
  end

  def test_switching_protocols
    body = ->(stream) { [stream.write("frame"), stream.close] }
    slot = serve { [101, { "upgrade" => "websocket", "connection" => "upgrade" }, body] }
    frames = slot.exchange

    assert_equal [[:response, 101], [:upgrade, 1]], (frames.map { |frame| [frame.kind, frame.aux] })
    assert_equal "frame", slot.files.first.read
  end

  def test_an_error_after_a_hijack_is_logged_only
    slot = serve { |env| [env["rack.hijack"].call.close, raise("oh")] }
    text = log do
      2.times { assert_equal [:upgrade], slot.exchange.map(&:kind) }
      slot.exchange_done
    end

    assert_match(/RuntimeError: oh/, text)
  end

  def test_an_error_in_a_partial_hijack
    slot = serve { [200, { "rack.hijack" => ->(_) { raise "oh" } }, []] }
    text = log do
      assert_equal %i[response upgrade], slot.exchange.map(&:kind)
      slot.exchange_done
    end

    assert_match(/oh/, text)
  end

  def test_a_hijack_does_not_affect_the_next_request
    slot = serve do |env|
      env["rack.hijack"].call.close if env["PATH_INFO"] == "/hijack"
      [200, {}, ["ok"]]
    end

    assert_equal [:upgrade], slot.exchange("/hijack").map(&:kind)
    assert_equal ["ok"], slot.exchange("/").map(&:body)
  end

  def test_passes_lint
    app = Rack::Lint.new(lambda do |env|
      env["rack.hijack"].call
      env["rack.hijack_io"].close
      [200, { "content-type" => "text/plain" }, []]
    end)

    assert_equal [:upgrade], answer(app).map(&:kind)
  end
end
