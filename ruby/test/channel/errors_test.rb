# frozen_string_literal: true

require_relative "../support/test_helper"

class ErrorsTest < PassengerTest
  def failing(app, **options)
    frames = nil
    text = log { frames = answer(app, **options) }
    [frames, text]
  end

  def test_an_exception
    (frame,), text = failing(->(_) { raise ArgumentError, "<b>no</b>" }, request: { target: nil }.compact)

    assert_equal 500, frame.aux
    assert_equal [["content-type", "text/html; charset=utf-8"]], frame.headers
    refute_includes frame.body, "no</b>"
    assert_match(
      %r{\[passenger\] GET / in process #{Process.pid} failed:\nArgumentError: <b>no</b>\n    #{__FILE__}:\d+}, text
    )
  end

  def test_the_page_for_developers
    (frame,), = failing(lambda { |_|
      begin
        raise "the cause"
      rescue StandardError
        raise ArgumentError, "<b>no</b>"
      end
    }, show_errors: true)

    ["ArgumentError: &lt;b&gt;no&lt;/b&gt;", "GET /", "#{__FILE__}:",
     "Caused by RuntimeError: the cause"].each do |text|
      assert_includes frame.body, text
    end
    refute_includes frame.body, "request_handler.rb"
  end

  def test_whatever_is_raised_the_worker_goes_on
    odd_message = Class.new(StandardError) { def message = "\xff\0".b }
    {
      "NotImplementedError" => -> { raise NotImplementedError },
      "LoadError: cannot load such file -- missing" => -> { require "missing" },
      "SystemExit: exit" => -> { exit },
      "UncaughtThrowError: uncaught throw :async" => -> { throw :async },
      "SystemStackError: stack level too deep" => -> { method(:endless).call },
      "NoMemoryError" => -> { raise NoMemoryError },
      "Exception: odd" => -> { raise Exception, "odd" }, # rubocop:disable Lint/RaiseException
      "RuntimeError: many\nlines" => -> { raise "many\nlines" },
      "\u{fffd}" => -> { raise odd_message }
    }.each do |title, failure|
      next if ENV["GC_STRESS"] && title != "NoMemoryError" # enough of this; deep stacks take minutes to scan

      slot = serve { |env| env["PATH_INFO"] == "/fine" ? [200, {}, ["fine"]] : failure.call }
      frames = nil

      assert_includes log { frames = slot.exchange("/") }, title
      assert_equal [500], frames.map(&:aux)
      assert_equal ["fine"], slot.exchange("/fine").map(&:body)
    end
  end

  def test_an_error_in_close
    body = ["x"].each
    body.define_singleton_method(:close) { raise "oh" }
    slot = serve { [200, { "content-length" => "1" }, body] }
    text = log do
      assert_equal ["x"], slot.exchange.map(&:body)
      slot.exchange_done
    end

    assert_match(/oh/, text)
  end

  def test_an_interrupt_of_the_applications_own
    (frame,), text = failing(->(_) { raise Interrupt })

    assert_equal 500, frame.aux
    assert_match(/Interrupt/, text)
  end

  def test_a_killed_thread_ends_the_slot
    slot = serve { Thread.current.kill }
    slot.write(Frames.request)

    assert_raises(EOFError) { slot.receive }
  end

  def test_after_reply_and_response_finished
    calls = Queue.new
    slot = serve do |env|
      env["rack.after_reply"] << -> { calls << :after_reply }
      env["rack.after_reply"] << -> { raise "ignored" }
      env["rack.response_finished"] << ->(*arguments) { calls << arguments }
      env["rack.response_finished"] << ->(*) { calls << :last_first }
      raise "oh" if env["PATH_INFO"] == "/oh"

      [200, { "a" => "b" }, []]
    end
    log do
      slot.exchange
      slot.exchange("/oh")
      slot.exchange_done
    end

    assert_equal %i[after_reply last_first], [calls.pop, calls.pop]
    env, *rest = calls.pop
    assert_equal ["/", 200, { "a" => "b" }, nil], [env["PATH_INFO"], *rest]
    assert_equal %i[after_reply last_first], [calls.pop, calls.pop]
    assert_equal [nil, nil, "oh"], (calls.pop.drop(1).map { |value| value.is_a?(Exception) ? value.message : value })
  end

  def test_the_callbacks_run_when_the_answer_is_out
    slot = serve do |env|
      env["rack.after_reply"] << -> { sleep(0.3) }
      [200, {}, ["fast"]]
    end
    started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    # The second request is there already: without the callback its answer would wait for the next.
    slot.write(Frames.request * 2)
    slot.receive

    assert_operator Process.clock_gettime(Process::CLOCK_MONOTONIC) - started, :<, 0.25
  end

  def endless = endless
end
