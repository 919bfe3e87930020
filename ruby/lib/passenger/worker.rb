# frozen_string_literal: true

require_relative "backtrace"
require_relative "diagnosis"
require_relative "fork_safety"
require_relative "hooks"

module Passenger
  # A process that serves: a thread for each slot, while the main thread waits for what the agent wants.
  #
  #   serving ── SIGTERM, SIGUSR1: says that it leaves ──▶ serving what is on its way ──▶ last slot ended: hooks, exit
  #      │                                                    │ HARD_STOP: takes nothing more    ▲
  #      └── the agent ends the data channels, or is gone ────┴──────────────────────────────────┘
  #
  # In any case what has arrived is answered first. Or the agent has it become a preloader; then it has no requests. If
  # it was told to leave meanwhile it does that.
  class Worker
    # How long the agent may take to end the data channels, and this process to end, or to be ready to be a preloader,
    # when it need not wait for the agent; in seconds.
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
      @threads = @handlers.to_h { |handler| [Thread.new { serve(handler) }, handler] }
      @control.ready(Process.pid)
      obey
      take_no_more
      @threads.each_key(&:join)
      Hooks.run_all(:worker_shutdown)
      become_preloader(progress) if @promoted
    end

    private

    def serve(handler)
      handler.serve
    rescue Exception => e # rubocop:disable Lint/RescueException
      warn("[passenger] process #{Process.pid} gives up a slot: #{Backtrace.describe(e)}")
    ensure
      if @mutex.synchronize { @serving -= 1 }.zero? && !@promoted
        limit # here, as the main thread may be in the midst of out-of-band work
        @control.shutdown
      end
    end

    # The control channel ends when the agent is gone or the last slot is.
    def obey
      while (message = @control.receive)
        break @promoted = true if message.first == :promote

        do_oob_work if message.first == :oob_work
      end
      limit
    end

    # The hooks of the application may take for ever.
    def limit
      @mutex.synchronize do
        @limit ||= Thread.new do
          sleep(HARD_STOP)
          exit!(1)
        end
      end
    end

    # If a fork would break what it has, it ends instead: the agent has others.
    def become_preloader(progress)
      progress.begin("becoming a preloader")
      trap("USR1", @usr1_before)
      end_own_threads
      obstacle = @leaving ? "it was told to leave" : ForkSafety.obstacle
      return Preloader.new(@app, @rack_app, @control) unless obstacle

      limit
      @control.failed(progress.step, obstacle, "")
      nil
    rescue Disconnected
      # The agent is gone, which is no reason not to exit as usual.
    end

    def end_own_threads
      [@limit, @leaving].compact.each { |thread| thread.kill.join }
      @limit = nil
    end

    # The agent keeps requests away meanwhile.
    def do_oob_work
      Hooks.run_all(:oob_work)
      @control.oob_work_done(Process.pid)
    rescue Disconnected
      # The agent is gone: the next message is the end.
    end

    # Once; whoever asks for it again does not make it faster. A process that the application has forked inherits the
    # traps, and the control channel, but is none of the agent's.
    def told_to_leave(signal)
      return die_of(signal) unless Process.pid == @pid
      return if @leaving

      @leaving = Thread.new do
        @control.leaving(@pid)
        sleep(HARD_STOP)
        take_no_more
      rescue Disconnected
        # The agent is gone, which is told by the end of the channel.
      end
    end

    def die_of(signal)
      trap(signal, "DEFAULT")
      Process.kill(signal, Process.pid)
    end

    # What the agent sends from now on goes to another worker.
    def take_no_more
      @handlers.each(&:shutdown)
    end

    def install_traps
      @pid = Process.pid
      trap("TERM") { told_to_leave("TERM") }
      @usr1_before = trap("USR1") { told_to_leave("USR1") }
      # It means something to the application.
      trap("USR1", @usr1_before) if @usr1_before.respond_to?(:call)
      trap("INT") { nil }
      trap("QUIT") { Diagnosis.print(@threads || {}) }
    end
  end
end
