# frozen_string_literal: true

require_relative "failure"
require_relative "fork_safety"
require_relative "hooks"
require_relative "progress"
require_relative "worker"

module Passenger
  # Holds a loaded application and forks workers when the agent asks for them. It never serves a request.
  class Preloader
    def initialize(app, rack_app, control)
      @app = app
      @rack_app = rack_app
      @control = control
    end

    # Does not return, except in workers when they end.
    def run(_progress)
      Process.setproctitle("Passenger preloader: #{@app.root}")
      trap("TERM") { exit!(0) }
      @control.ready(Process.pid)
      while (message = @control.receive)
        _, order, descriptors = message
        spawn(order[:ticket], *descriptors)
      end
      # Not `exit`: what the application wants done at exit is for workers.
      exit!(0)
    end

    private

    # The worker's control channel, its output, its data channels: all are the worker's; here they are closed again.
    def spawn(ticket, control, output, *slots)
      progress = Progress.new("preparing to fork")
      ForkSafety.prepare
      progress.begin("running the before_fork hooks")
      Hooks.run(:before_fork)
      progress.begin("forking")
      pid = fork { become_worker(control, output, slots) }
      @control.spawned(ticket, pid)
      report_end(pid)
    rescue StandardError, ScriptError => e
      Failure.new(progress.step, e).report(control)
    ensure
      [control, output, *slots].each { |descriptor| IO.for_fd(descriptor).close }
    end

    def become_worker(control, output, slots)
      @control.close
      progress = Progress.new("becoming a worker")
      ForkSafety.clean_up(output)
      channel = Native::Control.new(control)
      progress.control = channel
      Worker.new(@app, @rack_app, channel, slots, forked: true).run(progress)
    rescue StandardError, ScriptError => e
      Failure.new(progress.step, e).report(channel || control)
      exit!(1)
    end

    def report_end(pid)
      Thread.new do
        _, status = Process.wait2(pid)
        @control.exited(pid, status.exitstatus, status.termsig)
      rescue Errno::ECHILD
        # The application has waited for all children, so nobody can know how this one ended.
        @control.exited(pid, 0, nil)
      end
    end
  end
end
