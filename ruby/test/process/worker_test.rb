# frozen_string_literal: true

require_relative "process_test_case"

class WorkerTest < ProcessTestCase
  OK = 'run ->(_) { [200, {}, ["ok"]] }'
  SLOW = 'run ->(_) { File.write("serving", ""); sleep(0.5); [200, {}, ["ok"]] }'
  HARD_STOP_SOON = "Passenger::Worker.send(:remove_const, :HARD_STOP); Passenger::Worker::HARD_STOP = 0.3"

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
    app("config.ru" => "#{HARD_STOP_SOON}\nrun ->(_) { sleep }")
    child, slot = ready_worker
    slot.write(Frames.request)
    child.close_control

    assert_equal 1, child.status(5).exitstatus
  end

  def test_a_signal_to_leave
    %w[TERM USR1].each do |signal|
      app("config.ru" => "Passenger.on(:worker_shutdown) { warn 'hook' }; #{SLOW}")
      child, *slots = ready_worker(slots: 2)
      slots[0].write(Frames.request)
      wait_until_serving
      2.times { Process.kill(signal, child.pid) }

      assert_equal child.pid, child.wait_for("leaving")[:pid]
      # What was on its way meanwhile.
      slots[0].write(Frames.request)
      assert_equal "ok", slots[1].exchange.last.body
      2.times { assert_equal "ok", slots[0].receive.body }
      slots.each(&:close)
      assert_equal 0, child.status(5).exitstatus
      assert_equal "hook\n", child.output.read
      assert_nil child.receive, "it says so once"
    end
  end

  def test_a_signal_to_a_child_of_the_worker_is_the_childs
    app("config.ru" => <<~RUBY)
      run lambda { |env|
        pid = fork { File.write("forked", ""); sleep }
        Thread.pass until File.exist?("forked")
        Process.kill(env["PATH_INFO"].delete("/"), pid)
        [200, {}, [Process.wait2(pid).last.termsig.to_s]]
      }
    RUBY
    %w[TERM USR1].each do |signal|
      FileUtils.rm_f(File.join(@root, "forked"))
      child, slot = ready_worker
      assert_equal Signal.list.fetch(signal).to_s, slot.exchange("/#{signal}").last.body
      slot.close
      assert_equal 0, child.status.exitstatus
      assert_nil child.receive, "the worker does not want to leave"
    end
  end

  def test_out_of_band_work_does_not_keep_it_for_ever
    app("config.ru" => "#{HARD_STOP_SOON}\nPassenger.on(:oob_work) { warn 'working'; sleep }\n#{OK}")
    child, slot = ready_worker
    child.say("oob_work")
    assert_equal "working\n", child.output.gets
    slot.close
    child.close_control

    assert_equal 1, child.status.exitstatus
  end

  def test_sigquit_ends_nothing
    app("config.ru" => <<~'RUBY')
      run ->(env) {
        Thread.current.name = "t\xE4glich".dup.force_encoding("ISO-8859-1")
        Thread.new { sleep }.name = "\u4e16"
        env["REQUEST_PATH"] = "/\xff".b
        STDERR.close if env["PATH_INFO"] == "/closed"
        Process.kill("QUIT", Process.pid)
        sleep(0.2)
        [200, {}, ["ok"]]
      }
    RUBY
    _, slot = ready_worker

    %w[/ /closed /].each { |path| assert_equal "ok", slot.exchange(path).last.body }
  end

  def test_leaves_by_itself_if_the_agent_does_not_react
    app("config.ru" => "#{HARD_STOP_SOON}\nrun ->(_) { [200, {}, ['ok']] }")
    child, slot = ready_worker
    Process.kill("TERM", child.pid)
    child.wait_for("leaving")
    slot.write(Frames.request * 2)

    Timeout.timeout(20) { assert_raises(Errno::EPIPE) { loop { slot.write(Frames.request) && sleep(0.02) } } }
    2.times { assert_equal "ok", slot.receive.body }
    # It answers all that was written before.
    slot.close
    assert_equal 0, child.status.exitstatus
  end

  def test_a_trap_of_the_applications_own
    app("config.ru" => 'trap("USR1") { warn "mine" }; trap("TERM") { warn "not mine" }; run ->(_) { [200, {}, []] }')
    child, = ready_worker
    Process.kill("USR1", child.pid)
    assert_equal "mine\n", child.output.gets
    Process.kill("TERM", child.pid)

    assert child.wait_for("leaving")
  end

  def test_sigint_is_the_agents_business
    app("config.ru" => OK)
    child, slot = ready_worker
    Process.kill("INT", child.pid)
    sleep(0.1)

    assert_equal "ok", slot.exchange.last.body
  end

  def test_sigquit_prints_what_each_thread_does
    app("config.ru" => <<~RUBY)
      def waiting_for_godot = warn("serving") || sleep
      run ->(env) { env["PATH_INFO"] == "/go" ? [200, {}, ["ok"]] : waiting_for_godot }
    RUBY
    child, *slots = ready_worker(slots: 2)
    slots[1].exchange("/go")
    slots[0].write(Frames.request("/wait?secret"))
    assert_equal "serving\n", child.output.gets
    Process.kill("QUIT", child.pid)
    output = +""
    Timeout.timeout(20) { output << child.output.readpartial(100_000) until output.include?("in `waiting_for_godot'") }

    assert_match(%r{threads of process #{child.pid}:\n.* serves GET /wait\n.*config.ru:1:in `waiting_for}m, output)
    assert_equal 1, output.scan("serves").size, output
    assert_equal "ok", slots[1].exchange("/go").last.body
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
