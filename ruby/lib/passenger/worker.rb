# frozen_string_literal: true

require_relative "backtrace"
require_relative "fork_safety"
require_relative "hooks"

module Passenger
  # A process that serves: a thread for each slot, while the main thread waits for the reasons to leave.
  #
  # It leaves when the agent has closed all data channels, or the control channel, or on SIGTERM: in any case what has
  # arrived is answered first. Or the agent has it become a preloader; then it has no requests.
  class Worker
    # From when on nobody waits any more, in seconds.
    HARD_STOP = 30

    # +slots+ are the descriptors of the data channels.
    def initialize(app, rack_app, control, slots, forked:)
      @app = app
      @rack_app = rack_app
      @control = control
      @slots = slots
      @forked = forked
      @serving = slots.size
      @mutex = Mutex.new
      @promoted = false
    end

    # Returns the preloader that the process is to be, or nil when it is to exit, as it usually would: the application's
    # at_exit blocks are to run.
    def run(progress)
      Process.setproctitle("Passenger worker: #{@app.root}")
      progress.begin("running the worker_boot hooks")
      Hooks.run(:worker_boot, @forked)
      @handlers = @slots.map { |slot| RequestHandler.new(slot, @app, @rack_app) }
      install_traps
      threads = @handlers.map { |handler| Thread.new { serve(handler) } }
      @control.ready(Process.pid)
      obey
      leave
      threads.each(&:join)
      Hooks.run_all(:worker_shutdown)
      become_preloader(progress) if @promoted
    end

    private

    def serve(handler)
      handler.serve
    rescue Exception => e # rubocop:disable Lint/RescueException
      warn("[passenger] process #{Process.pid} gives up a slot: #{Backtrace.describe(e)}")
    ensure
      @control.shutdown if @mutex.synchronize { @serving -= 1 }.zero? && !@promoted
    end

    # The control channel ends when the agent is gone or the last slot is.
    def obey
      while (message = @control.receive)
        return @promoted = true if message.first == :promote

        do_oob_work if message.first == :oob_work
      end
      Thread.new do
        sleep(HARD_STOP)
        exit!(1)
      end
    end

    # If a fork would break what it has, it ends instead: the agent has others.
    def become_preloader(progress)
      progress.begin("becoming a preloader")
      obstacle = ForkSafety.obstacle
      return Preloader.new(@app, @rack_app, @control) unless obstacle

      @control.failed(progress.step, obstacle, "")
      nil
    end

    # The agent keeps requests away meanwhile.
    def do_oob_work
      Hooks.run_all(:oob_work)
      @control.oob_work_done(Process.pid)
    rescue Disconnected
      # The agent is gone: the next message is the end.
    end

    def leave
      @handlers.each(&:shutdown)
    end

    def install_traps
      trap("TERM") { leave }
      trap("INT") { nil }
      trap("QUIT") { print_backtraces }
    end

    # What each thread is doing, for whoever wonders.
    def print_backtraces
      text = Thread.list.map { |thread| "#{thread.inspect}\n#{thread.backtrace&.map { |line| "    #{line}\n" }&.join}" }
      $stderr.write("[passenger] threads of process #{Process.pid}:\n#{text.join}")
    end
  end
end
