# frozen_string_literal: true

require_relative "../support/test_helper"

class StreamingTest < PassengerTest
  # An enumerable body made of a block.
  class Body
    attr_reader :closed

    def initialize(&block)
      @block = block
      @closed = 0
    end

    def each(&block) = @block.call(block)
    def close = @closed += 1
  end

  def shape(frames) = frames.map { |frame| [frame.kind, frame.body, frame.end?] }

  def test_parts_are_sent_at_once_and_the_head_before_them
    go = Queue.new
    body = Body.new do |out|
      %w[a b].each { |part| out.call(part) if go.pop }
    end
    slot = serve { [200, { "x" => "y" }, body] }
    slot.write(Frames.request)

    assert_equal [:response, "", false], shape([slot.receive]).first
    %w[a b].each do |part|
      assert_predicate slot, :quiet?
      go << true
      assert_equal [:data, part, false], shape([slot.receive]).first
    end
    assert_equal [:data, "", true], shape([slot.receive]).first
    slot.exchange_done
    assert_equal 1, body.closed
  end

  def test_one_part_of_known_length_is_one_frame
    frames = answer { [200, { "Content-Length" => "5" }, Body.new { |out| out.call("hello") }] }

    assert_equal [[:response, "hello", true]], shape(frames)
  end

  def test_the_last_of_several_parts_of_known_length_ends_the_answer
    frames = answer { [200, { "content-length" => "2" }, Body.new { |out| ["a", "", "b", ""].each(&out) }] }

    assert_equal [[:response, "", false], [:data, "a", false], [:data, "b", true]], shape(frames)
  end

  def test_more_or_less_than_announced
    more = answer { [200, { "content-length" => "2" }, Body.new { |out| %w[a bcd e].each(&out) }] }
    less = answer { [200, { "content-length" => "9" }, Body.new { |out| %w[a b].each(&out) }] }
    none = answer { [200, { "content-length" => "0" }, Body.new { nil }] }

    assert_equal [[:response, "", false], [:data, "a", false], [:data, "b", true]], shape(more)
    assert_equal [[:response, "", false], [:data, "a", false], [:data, "b", false], [:data, "", true]], shape(less)
    assert_equal [[:response, "", true]], shape(none)
  end

  def test_what_comes_after_the_last_part_is_still_done
    done = false
    slot = serve do
      [200, { "content-length" => "1" }, Body.new { |out| [out.call("a"), done = true] }]
    end
    slot.exchange
    slot.exchange_done

    assert done
  end

  def test_a_large_part
    part = Random.bytes(300_000)
    frames = answer { [200, {}, Body.new { _1.call(part) }] }

    assert_equal [0, 131_072, 131_072, 300_000 - 262_144, 0], (frames.map { |frame| frame.body.bytesize })
    assert_equal part, frames.map(&:body).join
  end

  def test_an_error_before_the_first_part_of_known_length
    body = Body.new { raise "oh" }
    frames = nil
    assert_match(/RuntimeError: oh/, log { frames = answer { [200, { "content-length" => "5" }, body] } })

    assert_equal [[:response, 500]], (frames.map { |frame| [frame.kind, frame.aux] })
    assert_equal 1, body.closed
  end

  def test_an_error_half_way
    body = Body.new { |out| [out.call("a"), raise("oh")] }
    frames = nil
    assert_match(/RuntimeError: oh/, log { frames = answer { [200, {}, body] } })

    assert_equal [[:response, "", false], [:data, "a", false], [:cancel, "", true]], shape(frames)
    assert_equal 1, body.closed
  end

  def test_parts_that_are_not_strings
    frames = nil
    assert_match(/TypeError/, log { frames = answer { [200, {}, Body.new { _1.call(1) }] } })

    assert_equal %i[response cancel], frames.map(&:kind)
  end

  def test_the_client_leaves
    cleaned_up = false
    body = Body.new do |out|
      loop { [out.call("x"), sleep(0.01)] }
    ensure
      cleaned_up = true
    end
    slot = serve { [200, {}, body] }
    slot.write(Frames.request("/", stream: 7))
    slot.receive
    slot.write(Frames.cancel(7))
    frames = slot.receive_answer(7)

    assert_equal [:cancel, true], [frames.last.kind, frames.last.end?]
    slot.exchange_done
    assert cleaned_up
    assert_equal 1, body.closed
  end

  def test_another_clients_leaving_does_not_matter
    body = Body.new { |out| 3.times { sleep(0.05) && out.call("x") } }
    slot = serve { [200, {}, body] }
    slot.write(Frames.request("/", stream: 7) + Frames.cancel(8))

    assert_equal "xxx", slot.receive_answer(7).map(&:body).join
  end

  def test_the_agent_lets_the_worker_go_while_it_streams
    body = Body.new { |out| 3.times { sleep(0.05) && out.call("x") } }
    slot = serve { [200, {}, body] }
    slot.write(Frames.request)
    slot.close_write

    assert_equal "xxx", slot.receive_answer.map(&:body).join
    assert slot.thread.join(5)
  end

  def test_the_agent_dies_while_a_body_streams
    body = Body.new { |out| loop { sleep(0.01) && out.call("x") } }
    slot = serve { [200, {}, body] }
    slot.write(Frames.request)
    slot.receive

    assert_empty(log { slot.close })
    assert_equal 1, body.closed
  end

  def test_a_part_is_whole_although_an_exception_breaks_into_its_sending
    body = Body.new do |out|
      Timeout.timeout(0.3) { out.call("x" * 3_000_000) }
    rescue Timeout::Error
      out.call("late")
    end
    slot = serve { [200, {}, body] }
    slot.write(Frames.request)
    sleep(0.6)
    parts = slot.receive_answer.map(&:body).join

    assert_match(/\Ax+late\z/, parts)
    assert_equal 0, parts.count("x") % 131_072
  end

  def test_a_callable_body
    stream_class = nil
    body = lambda do |stream|
      stream_class = stream.class
      stream.write("got ")
      stream << stream.read << "!"
      stream.flush
      stream.close_write
      stream.close
    end
    frames = answer(request: { method: "POST", body: "this" }) { [200, { "x" => "y" }, body] }

    assert_equal [[:response, "", false], [:data, "got ", false], [:data, "this", false], [:data, "!", false],
                  [:data, "", true]], shape(frames)
    assert_equal Passenger::Stream, stream_class
  end

  def test_a_callable_body_that_does_not_close
    assert_equal [[:response, "", false], [:data, "a", false], [:data, "", true]],
                 shape(answer { [200, {}, ->(stream) { stream.write("a") }] })
  end

  def test_a_callable_body_that_writes_too_late
    error = nil
    slot = serve do
      [200, {}, lambda { |stream|
        stream.close
        error = assert_raises(IOError) { stream.write("a") }
      }]
    end
    slot.exchange
    slot.exchange_done

    assert_equal "closed stream", error.message
  end

  def test_a_callable_body_that_fails
    frames = nil
    assert_match(/oh/, log { frames = answer { [200, {}, ->(_) { raise "oh" }] } })

    assert_equal %i[response cancel], frames.map(&:kind)
  end

  def test_a_callable_body_sees_the_client_leave
    error = nil
    slot = serve do
      [200, {}, lambda { |stream|
        error = assert_raises(Errno::EPIPE) { loop { stream.write("x") && sleep(0.01) } }
        raise error
      }]
    end
    slot.write(Frames.request)
    slot.receive
    slot.write(Frames.cancel(258))

    assert_empty(log { assert_equal :cancel, slot.receive_answer.last.kind })
    assert_kind_of Passenger::Disconnected, error
  end

  def test_early_hints
    frames = answer do |env|
      env["rack.early_hints"].call("link" => "</a.css>; rel=preload\n</b.js>; rel=preload")
      [200, {}, ["ok"]]
    end

    assert_equal [[:informational, 103], [:response, 200]], (frames.map { |frame| [frame.kind, frame.aux] })
    assert_equal [["link", "</a.css>; rel=preload"], ["link", "</b.js>; rel=preload"]], frames.first.headers
  end

  def test_early_hints_that_come_too_late_are_dropped
    frames = answer do |env|
      [200, {}, Body.new { |out| [env["rack.early_hints"].call("link" => "a"), out.call("x")] }]
    end

    assert_equal %i[response data data], frames.map(&:kind)
  end
end
