# frozen_string_literal: true

require_relative "../support/test_helper"

class QueueTest < PassengerTest
  def test_requests_are_answered_in_order
    slot = serve { |env| [200, {}, [env["PATH_INFO"]]] }
    slot.write((1..50).map { |number| Frames.request("/#{number}", stream: number) }.join)

    frames = Array.new(50) { slot.receive }

    assert_equal((1..50).map { |number| [number, "/#{number}"] }, frames.map { |frame| [frame.stream, frame.body] })
  end

  def test_frames_in_pieces
    slot = serve { |env| [200, {}, [env["rack.input"].read]] }
    bytes = Frames.request("/", method: "POST", body: "x" * 100) * 2
    bytes.each_char.each_slice(7) { |piece| slot.write(piece.join) }

    2.times { assert_equal "x" * 100, slot.receive.body }
  end

  def test_a_large_frame_among_small_ones
    slot = serve { |env| [200, {}, [env["rack.input"].read.bytesize.to_s]] }
    writer = Thread.new do
      [10, 900_000, 10].each { |size| slot.write(Frames.request("/", method: "POST", body: "x" * size)) }
    end

    assert_equal %w[10 900000 10], (Array.new(3) { slot.receive.body })
    writer.join
  end

  def test_an_answer_that_took_long_does_not_wait_for_the_next
    slot = serve do |env|
      sleep(0.3) if env["PATH_INFO"] == "/slow"
      [200, {}, []]
    end
    slot.write(Frames.request("/slow", stream: 1) + Frames.request("/slow", stream: 2))
    assert_equal 1, slot.receive.stream
    assert slot.quiet?(0.1)
    assert_equal 2, slot.receive.stream
  end

  def test_a_queued_request_that_was_cancelled_is_not_begun
    seen = []
    slot = serve do |env|
      seen << env["PATH_INFO"]
      [200, {}, []]
    end
    requests = (1..3).map { |number| Frames.request("/#{number}", stream: number) }
    slot.write(requests.join + Frames.cancel(2))
    frames = Array.new(3) { slot.receive }

    assert_equal [[1, :response], [2, :cancel], [3, :response]], (frames.map { |frame| [frame.stream, frame.kind] })
    assert_equal %w[/1 /3], seen
  end

  def test_a_late_cancel_is_ignored
    slot = serve { [200, {}, ["ok"]] }
    slot.exchange
    slot.write(Frames.cancel(258) + Frames.cancel(999))

    assert_equal ["ok"], slot.exchange("/", stream: 259).map(&:body)
    assert_predicate slot, :quiet?
  end

  def test_end_of_the_channel
    slot = serve { [200, {}, ["ok"]] }
    slot.write(Frames.request * 3)
    slot.close_write

    3.times { assert_equal "ok", slot.receive.body }
    assert_raises(EOFError) { slot.receive }
  end

  def test_shutdown_answers_what_has_arrived
    slot = serve { sleep(0.1) && [200, {}, ["ok"]] }
    slot.write(Frames.request * 3)
    slot.wait_until_blocked
    slot.shutdown

    3.times { assert_equal "ok", slot.receive.body }
    assert_raises(EOFError) { slot.receive }
  end

  def test_shutdown_while_waiting
    slot = serve { [200, {}, ["ok"]] }
    slot.wait_until_blocked
    slot.shutdown

    assert slot.thread.join(5)
  end

  def test_a_waiting_thread_can_be_killed
    slot = serve { [200, {}, ["ok"]] }
    slot.exchange
    slot.wait_until_blocked
    slot.thread.kill

    assert_raises(EOFError) { slot.receive }
    assert slot.thread.join(5)
  end

  def test_an_exception_can_break_into_waiting
    slot = serve { [200, {}, ["ok"]] }
    slot.wait_until_blocked
    slot.thread.raise(ArgumentError, "oh")

    assert_raises(ArgumentError) { slot.thread.join(5) }
    @slots.clear
  end

  def test_the_agent_dies_before_the_answer
    slot = serve { sleep(0.1) && [200, {}, ["x" * 1_000_000]] }
    slot.write(Frames.request)

    assert_empty(log { slot.close })
  end

  def test_unreadable_frames_end_the_slot
    [
      "\xff".b * 16,
      Frames.frame(3, stream: 1, flags: 1, aux: 200, payload: "\0\0\0\0"),
      Frames.frame(1, stream: 1, flags: 1, payload: "short"),
      Frames.request("/", file_size: 10)
    ].each do |bytes|
      slot = serve { [200, {}, []] }
      slot.write(bytes)

      assert_raises(EOFError) { slot.receive }
      assert_raises(IOError) { slot.thread.join }
      @slots.clear
    end
  end

  def test_other_threads_run_while_a_slot_waits
    serve { [200, {}, []] }
    count = 0
    thread = Thread.new { loop { (count += 1) && sleep(0.001) } }
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 10
    Thread.pass until count > 20 || Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
    thread.kill

    assert_operator count, :>, 20
  end

  def test_slots_serve_at_the_same_time
    barrier = Queue.new
    app = lambda do |env|
      env["PATH_INFO"] == "/wait" ? barrier.pop : barrier.push(true)
      [200, {}, [env["rack.multithread"].to_s]]
    end
    slots = Array.new(2) { serve(app, multithread: true) }
    slots[0].write(Frames.request("/wait"))
    slots[1].exchange("/go")

    assert_equal "true", slots[0].receive.body
  end

  def test_another_thread_may_answer_while_the_slots_own_is_in_the_application
    slot = serve do |env|
      Thread.new { env["rack.hijack"].call }.join
      [200, {}, []]
    end

    assert_equal [:upgrade], slot.exchange.map(&:kind)
  end

  def test_a_channel_that_a_thread_waits_on_is_not_for_others
    hijack = nil
    slot = serve { |env| [200, {}, [(hijack = env["rack.hijack"]).class.to_s]] }
    slot.exchange
    slot.wait_until_blocked

    assert_raises(ThreadError, IOError) { hijack.call }
  end
end
