# frozen_string_literal: true

require_relative "failure"
require_relative "fork_safety"
require_relative "hooks"
require_relative "progress"
require_relative "worker"

module Passenger
  # Holds a loaded application and forks workers when the agent asks for them. It never serves a request. It has loaded
  # the application, or it has been a worker.
  class Preloader
    def initialize(app, rack_app, control)
      @app = app
      @rack_app = rack_app
      @control = control
      @prepared = false
    end

    # Returns in the processes that it has forked only: the worker that such a process is to be. +progress+ is the
    # worker's from then on.
    def run(progress)
      Process.setproctitle("Passenger preloader: #{@app.root}")
      trap("TERM") { exit!(0) }
      @control.ready(Process.pid)
      while (message = @control.receive)
        _, order, descriptors = message
        return become_worker(progress, *descriptors) unless spawn(order[:ticket], descriptors)
      end
      # Not `exit`: what the application wants done at exit is for workers.
      exit!(0)
    end

    private

    # False in the worker. Control channel, output, data channels: all are the worker's; here they are closed.
    def spawn(ticket, descriptors)
      return false unless (pid = try_to_fork(descriptors.first))

      descriptors.each { |descriptor| IO.for_fd(descriptor).close }
      return true if pid == :failed

      @control.spawned(ticket, pid)
      report_end(pid)
      true
    end

    # As `fork` returns, or +:failed+.
    def try_to_fork(control)
      progress = Progress.new("preparing to fork")
      ForkSafety.prepare(first: !@prepared)
      @prepared = true
      progress.begin("running the before_fork hooks")
      Hooks.run(:before_fork)
      progress.begin("forking")
      fork
    rescue StandardError, ScriptError => e
      Failure.new(progress.step, e).report(control)
      :failed
    end

    def become_worker(progress, control, output, *slots)
      trap("TERM", "SYSTEM_DEFAULT")
      progress.control = Native::Control.new(control)
      progress.begin("becoming a worker")
      @control.close
      ForkSafety.clean_up(output)
      Worker.new(@app, @rack_app, progress.control, slots, forked: true)
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
