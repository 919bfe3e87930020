# frozen_string_literal: true

require_relative "process_test_case"

class PreloaderTest < ProcessTestCase
  def test_loads_once_and_forks_workers
    app("config.ru" => "LOADED_BY = Process.pid; run ->(_) { [200, {}, [[LOADED_BY, Process.pid].join(' ')]] }")
    child = start

    assert_equal({ message: "hello", protocol: 2, language: "ruby", version: RUBY_VERSION }, child.receive)
    child.load
    assert_equal "loading config.ru", child.wait_for("progress").then { child.wait_for("progress") }[:step]
    assert_equal child.pid, child.wait_for("ready")[:pid]
    pids = (1..2).map do |ticket|
      worker = child.spawn(ticket: ticket)
      spawned = child.wait_for("spawned")
      assert_equal [ticket, worker.wait_for("ready")[:pid]], spawned.values_at(:ticket, :pid)
      assert_equal "#{child.pid} #{spawned[:pid]}", worker.slots.first.exchange.last.body
      spawned[:pid]
    end

    assert_equal 2, pids.uniq.size
  end

  def test_reports_how_workers_end
    app("config.ru" => "run ->(_) { exit!(7) }")
    child = ready_preloader
    killed, failed, left = Array.new(3) { spawn(child) }
    Process.kill("KILL", killed.pid)
    assert_equal [killed.pid, nil, 9], child.wait_for("exited").values_at(:pid, :code, :signal)
    failed.slots.first.write(Frames.request)
    assert_equal [failed.pid, 7, nil], child.wait_for("exited").values_at(:pid, :code, :signal)
    left.close
    assert_equal [left.pid, 0, nil], child.wait_for("exited").values_at(:pid, :code, :signal)
  end

  def test_a_worker_is_a_process_of_its_own
    app("config.ru" => <<~RUBY)
      SEED = rand
      trap("TERM") { exit!(9) }
      run ->(env) {
        $stdout.puts("to output"); warn("to error")
        [200, {}, [[Process.getpgrp, Process.ppid, rand, File.read("/proc/self/cmdline")].join("|")]]
      }
    RUBY
    child = ready_preloader
    first, second = Array.new(2) { spawn(child) }
    answers = [first, second].map { |worker| worker.slots.first.exchange.last.body.split("|") }

    assert_equal [first.pid, second.pid], (answers.map { |answer| answer[0].to_i })
    assert_equal [child.pid] * 2, (answers.map { |answer| answer[1].to_i })
    refute_equal answers[0][2], answers[1][2]
    assert_match(/\APassenger worker: #{@root}/, answers[0][3])
    assert_equal ["to output\n", "to error\n"], [first.output.gets, first.output.gets]
  end

  def test_no_descriptor_is_left_behind
    app("config.ru" => 'run ->(_) { [200, {}, [Dir.children("/proc/self/fd").size.to_s]] }')
    child = ready_preloader
    open = -> { Dir.children("/proc/#{child.pid}/fd").size }
    before = open.call
    counts = Array.new(3) { spawn(child).slots.first.exchange.last.body }

    # A worker may answer before the preloader has closed what it handed to it.
    Timeout.timeout(10, nil, "#{before} descriptors were open, it stays at #{open.call}") do
      sleep 0.01 until open.call == before
    end
    assert_equal 1, counts.uniq.size, counts.inspect
  end

  def test_leaves_with_the_agent_but_its_workers_go_on
    app("config.ru" => "at_exit { warn('at exit of', Process.pid) }; run ->(_) { [200, {}, ['ok']] }")
    child = ready_preloader
    worker = spawn(child)
    child.close_control

    assert_equal 0, child.status.exitstatus
    assert_equal "ok", worker.slots.first.exchange.last.body
    worker.close
    assert_equal "at exit of\n#{worker.pid}\n", worker.output.read
    refute_includes child.output.read, "at exit"
  end

  def test_hooks
    app("config/passenger.rb" => "before_fork { $hooks = [:fork, Process.pid] }; on_worker_boot { $hooks << :boot }",
        "config.ru" => <<~RUBY)
          PhusionPassenger.on_event(:starting_worker_process) { |forked| $hooks << [:starting, forked] }
          PhusionPassenger.on_event(:stopping_worker_process) { warn "stopping" }
          PhusionPassenger.on_event(:credentials) { warn "never" }
          Passenger.on(:worker_shutdown) { raise "oh" }
          run ->(_) { [200, {}, [$hooks.inspect]] }
        RUBY
    child = ready_preloader
    worker = spawn(child)

    assert_equal "[:fork, #{child.pid}, :boot, [:starting, true]]", worker.slots.first.exchange.last.body
    worker.close
    output = worker.output.read
    assert_match(/\Astopping\n\[passenger\] the worker_shutdown hook failed: RuntimeError: oh/, output)
    child.stop
    assert_match(/the event :credentials does not occur/, child.output.read)
  end

  def test_a_failing_worker_boot_hook
    app("config.ru" => 'Passenger.on(:worker_boot) { raise "oh" }; run ->(_) { [200, {}, []] }')
    child = ready_preloader
    worker = child.spawn
    pid = child.wait_for("spawned")[:pid]

    message = worker.wait_for("failed")
    assert_equal ["running the worker_boot hooks", "RuntimeError: oh"], message.values_at(:step, :reason)
    assert_equal [pid, 1], child.wait_for("exited").values_at(:pid, :code)
  end

  def test_a_failing_before_fork_hook
    app("config.ru" => 'Passenger.on(:before_fork) { raise "oh" }; run ->(_) { [200, {}, []] }')
    child = ready_preloader
    worker = child.spawn

    message = worker.wait_for("failed")
    assert_equal ["running the before_fork hooks", "RuntimeError: oh"], message.values_at(:step, :reason)
    assert_nil worker.receive
  end

  def test_threads_before_the_fork_are_named
    app("config.ru" => 'Thread.new { sleep }.name = "ticker"; run ->(_) { [200, {}, []] }')
    child = ready_preloader
    2.times { spawn(child) }
    child.stop
    output = child.output.read

    assert_match(/workers do not have the threads that the application started.*\n    #<Thread:\S+@ticker/, output)
    assert_equal 1, output.scan("workers do not have").size
  end

  def test_threads_that_survive_a_fork_in_their_own_way_are_not_named
    app("config.ru" => "Thread.new { sleep }.thread_variable_set(:fork_safe, true); run ->(_) { [200, {}, []] }")
    child = ready_preloader
    spawn(child)
    child.stop

    refute_match(/do not have the threads/, child.output.read)
  end

  def test_the_application_may_wait_for_children
    app("config.ru" => 'trap("CHLD") { Process.wait(-1) rescue nil }; run ->(_) { [200, {}, [`echo sub`]] }')
    worker = spawn(ready_preloader)

    assert_equal "sub\n", worker.slots.first.exchange.last.body
  end
end
