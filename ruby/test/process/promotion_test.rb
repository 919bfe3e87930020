# frozen_string_literal: true

require_relative "process_test_case"

# Workers that become preloaders.
class PromotionTest < ProcessTestCase
  HARD_STOP_SOON = "Passenger::Worker.send(:remove_const, :HARD_STOP); Passenger::Worker::HARD_STOP = 0.5"
  SLOW_END = "Passenger.on(:worker_shutdown) { warn 'ending'; sleep SECONDS }; run ->(_) { [200, {}, ['ok']] }"
  CACHE = "$cache = []; run ->(_) { $cache << Process.pid; [200, {}, [$cache.inspect]] }"

  def test_its_workers_have_what_it_had_warmed_up
    app("config.ru" => CACHE)
    first = spawn(ready_preloader)
    first.slots.first.exchange
    promote(first)
    second, third = Array.new(2) { spawn(first) }

    assert_raises(EOFError) { first.slots.first.receive }
    assert_equal "Passenger preloader: #{@root}", File.read("/proc/#{first.pid}/cmdline").delete("\0")
    [second, third].each { |worker| assert_equal [first.pid, worker.pid].inspect, answer(worker) }
    second.close
    assert_equal [second.pid, 0, nil], first.wait_for("exited").values_at(:pid, :code, :signal)
  end

  def test_a_worker_that_loaded_the_application_itself
    app("config.ru" => CACHE)
    child, slot = ready_worker
    slot.exchange
    promote(child)

    assert_equal [child.pid, (worker = spawn(child)).pid].inspect, answer(worker)
  end

  def test_it_goes_on_for_generations
    app("config.ru" => <<~RUBY)
      $generation = 0
      Passenger.on(:worker_boot) { $depth = caller.size; $generation += 1 }
      run ->(_) { [200, {}, [[$generation, $depth, Dir.children("/proc/self/fd").size, Thread.list.size].join(" ")]] }
    RUBY
    worker = spawn(ready_preloader)
    answers = Array.new(4) do
      answer(worker).tap { worker = spawn(promote(worker)) }
    end

    assert_equal (1..4).to_a, (answers.map { |text| text.split.first.to_i })
    assert_equal 1, answers.map { |text| text.split.drop(1) }.uniq.size, answers.inspect
  end

  def test_requests_that_have_arrived_are_answered_first
    app("config.ru" => "run ->(_) { sleep 0.3; [200, {}, ['ok']] }")
    worker = spawn(ready_preloader)
    worker.slots.first.write(Frames.request)
    promote(worker)

    assert_equal "ok", worker.slots.first.receive.body
  end

  def test_hooks_and_what_is_to_be_done_at_exit
    app("config.ru" => <<~RUBY)
      %i[before_fork worker_boot worker_shutdown].each { |point| Passenger.on(point) { warn [point, Process.pid].join(" ") } }
      at_exit { warn "at_exit \#{Process.pid}" }
      run ->(_) { [200, {}, ["ok"]] }
    RUBY
    first = spawn(ready_preloader)
    second = spawn(promote(first))
    second.close
    first.wait_for("exited")
    first.close_control

    assert_equal events(first, :worker_boot, :worker_shutdown, :before_fork), first.output.read
    assert_equal events(second, :worker_boot, :worker_shutdown, :at_exit), second.output.read
  end

  def test_a_thread_that_stays_speaks_against_it
    app("config.ru" => <<~RUBY)
      at_exit { warn "at_exit" }
      run ->(_) { Thread.new { sleep }.name = "ticker"; [200, {}, ["ok"]] }
    RUBY
    worker = spawn(preloader = ready_preloader)
    answer(worker)
    worker.say("promote")
    failed = worker.wait_for("failed")

    assert_equal "becoming a preloader", failed[:step]
    assert_match(/\Aa thread of the application is running, .*ticker/, failed[:reason])
    assert_equal [worker.pid, 0], preloader.wait_for("exited").values_at(:pid, :code)
    assert_equal "at_exit\n", worker.output.read
  end

  def test_threads_that_end_or_are_started_again_do_not
    app("config.ru" => <<~RUBY)
      Passenger.on(:worker_boot) { $thread = Thread.new { sleep } }
      Passenger.on(:worker_shutdown) { $thread.kill; Thread.new { sleep 0.3; raise NotImplementedError } }
      run ->(_) { Thread.new { sleep }.thread_variable_set(:fork_safe, true); Thread.new { raise "oh" }; [200, {}, ["ok"]] }
    RUBY
    worker = spawn(ready_preloader)
    answer(worker)

    assert_equal "ok", answer(spawn(promote(worker)))
  end

  def test_it_may_be_told_to_leave_meanwhile
    app("config.ru" => SLOW_END.sub("SECONDS", "0.5"))
    %w[TERM USR1].each do |signal|
      worker = spawn(preloader = ready_preloader)
      worker.say("promote")
      assert_equal "ending\n", worker.output.gets
      Process.kill(signal, worker.pid)

      assert_equal "it was told to leave", worker.wait_for("failed")[:reason]
      assert_equal [worker.pid, 0], preloader.wait_for("exited").values_at(:pid, :code)
    end
  end

  def test_it_does_not_take_for_ever
    app("config.ru" => "#{HARD_STOP_SOON}\n#{SLOW_END.sub('SECONDS', '60')}")
    worker = spawn(preloader = ready_preloader)
    worker.say("promote")
    assert_equal "ending\n", worker.output.gets
    worker.close_control

    assert_equal [worker.pid, 1], preloader.wait_for("exited").values_at(:pid, :code)
  end

  def test_the_time_that_it_may_take_ends_with_it
    app("config.ru" => "#{HARD_STOP_SOON}\nrun ->(_) { [200, {}, ['ok']] }")
    promote(worker = spawn(ready_preloader))
    sleep(1)

    assert_equal "ok", answer(spawn(worker))
  end

  def test_the_application_may_say_no
    app("config.ru" => 'run ->(_) { Passenger.fork_unsafe!("it has a tail"); [200, {}, ["ok"]] }')
    worker = spawn(ready_preloader)
    answer(worker)
    worker.say("promote")

    assert_equal "the application has called Passenger.fork_unsafe!: it has a tail", worker.wait_for("failed")[:reason]
  end

  def test_a_library_may_speak_against_it
    app("config.ru" => 'module GRPC; module Core; end; end; run ->(_) { [200, {}, ["ok"]] }')
    worker = spawn(ready_preloader)
    worker.say("promote")

    assert_match(/\Athe library grpc is loaded/, worker.wait_for("failed")[:reason])
  end

  private

  def promote(worker)
    worker.say("promote")
    assert_equal worker.pid, worker.wait_for("ready")[:pid]
    worker
  end

  def events(worker, *names) = names.map { |name| "#{name} #{worker.pid}\n" }.join

  def answer(worker) = worker.slots.first.exchange.last.body
end
