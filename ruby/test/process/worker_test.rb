# frozen_string_literal: true

require_relative "process_test_case"

class WorkerTest < ProcessTestCase
  OK = 'run ->(_) { [200, {}, ["ok"]] }'
  SLOW = 'run ->(_) { File.write("serving", ""); sleep(0.5); [200, {}, ["ok"]] }'

  def test_direct_spawning
    app("config.ru" => <<~RUBY)
      PhusionPassenger.on_event(:starting_worker_process) { |forked| $forked = forked }
      run ->(env) { [200, {}, [$forked.inspect, env["rack.multithread"].inspect, File.read("/proc/self/cmdline")]] }
    RUBY
    _, slot = ready_worker

    assert_match(/\AfalsefalsePassenger worker: #{@root}/, slot.exchange.last.body)
  end

  def test_several_slots
    app("config.ru" => <<~RUBY)
      QUEUE = Queue.new
      run ->(env) { [200, {}, [env["PATH_INFO"] == "/wait" ? QUEUE.pop : QUEUE.push("x").class.to_s]] }
    RUBY
    _, *slots = ready_worker(slots: 3, multithread: true)
    slots[0].write(Frames.request("/wait"))
    slots[1].write(Frames.request("/wait"))
    2.times { slots[2].exchange("/go") }

    assert_equal %w[x x], slots.first(2).map { |slot| slot.receive.body }
  end

  def test_leaves_when_all_channels_are_closed
    app("config.ru" => "at_exit { warn 'at exit' }; Passenger.on(:worker_shutdown) { warn 'hook' }; #{OK}")
    child, *slots = ready_worker(slots: 2)
    slots[0].close
    assert_equal "ok", slots[1].exchange.last.body
    slots[1].close

    assert_equal 0, child.status.exitstatus
    assert_equal "hook\nat exit\n", child.output.read
  end

  def test_leaves_with_the_agent_after_answering
    app("config.ru" => SLOW)
    child, slot = ready_worker
    slot.write(Frames.request)
    wait_until_serving
    child.close_control

    assert_equal "ok", slot.receive.body
    assert_equal 0, child.status(5).exitstatus
  end

  def test_does_not_wait_for_ever
    app("config.ru" => <<~RUBY)
      Passenger::Worker.send(:remove_const, :HARD_STOP)
      Passenger::Worker::HARD_STOP = 0.3
      run ->(_) { sleep }
    RUBY
    child, slot = ready_worker
    slot.write(Frames.request)
    child.close_control

    assert_equal 1, child.status(5).exitstatus
  end

  def test_sigterm_after_answering
    app("config.ru" => SLOW)
    child, slot = ready_worker
    slot.write(Frames.request * 2)
    wait_until_serving
    Process.kill("TERM", child.pid)
    sleep(0.1)

    assert_raises(Errno::EPIPE) { slot.write(Frames.request) }
    2.times { assert_equal "ok", slot.receive.body }
    assert_equal 0, child.status(5).exitstatus
  end

  def test_sigint_is_the_agents_business
    app("config.ru" => OK)
    child, slot = ready_worker
    Process.kill("INT", child.pid)
    sleep(0.1)

    assert_equal "ok", slot.exchange.last.body
  end

  def test_sigquit_prints_backtraces
    app("config.ru" => "def waiting_for_godot = sleep\nrun ->(_) { waiting_for_godot }")
    child, slot = ready_worker
    slot.write(Frames.request)
    sleep(0.2)
    Process.kill("QUIT", child.pid)
    sleep(0.2)

    output = child.output.read_nonblock(100_000)
    assert_match(/threads of process #{child.pid}:\n.*config.ru:1:in `waiting_for_godot'/m, output)
    Process.kill("KILL", child.pid)
  end

  def test_out_of_band_work
    app("config.ru" => <<~RUBY)
      Passenger.on(:oob_work) { raise "oh" }
      PhusionPassenger.on_event(:oob_work) { $done = "done by the main thread: #{Thread.current == Thread.main}" }
      run ->(_) { [200, {}, [$done.inspect]] }
    RUBY
    child, slot = ready_worker
    assert_equal "nil", slot.exchange.last.body
    child.say("oob_work")

    assert_equal child.pid, child.wait_for("oob_work_done")[:pid]
    assert_equal "done by the main thread: true".inspect, slot.exchange.last.body
    slot.close
    assert_match(/the oob_work hook failed: RuntimeError: oh/, child.output.read)
  end

  def test_a_slot_that_breaks_does_not_take_the_others_along
    app("config.ru" => OK)
    child, *slots = ready_worker(slots: 2)
    slots[0].write("\xff".b * 16)

    assert_raises(EOFError) { slots[0].receive }
    assert_equal "ok", slots[1].exchange.last.body
    slots[1].close
    assert_equal 0, child.status.exitstatus
    assert_match(/process #{child.pid} gives up a slot: IOError: .* sent something unreadable/, child.output.read)
  end

  def test_exit_in_a_request_does_not_end_the_worker
    app("config.ru" => 'run ->(env) { env["PATH_INFO"] == "/exit" ? exit : [200, {}, ["ok"]] }')
    _, slot = ready_worker

    assert_equal 500, slot.exchange("/exit").last.aux
    assert_equal "ok", slot.exchange("/").last.body
  end

  private

  # Until SLOW is in the midst of a request.
  def wait_until_serving
    Timeout.timeout(10) { Thread.pass until File.exist?(File.join(@root, "serving")) }
  end
end
