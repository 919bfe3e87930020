# frozen_string_literal: true

# The program that the agent starts for an application, with the control channel on descriptor 3. Until the
# application's Bundler is set up it must not load a gem, nor a library that exists as one (json, stringio, set...):
# that would decide its version.

require_relative "app"
require_relative "diagnosis"
require_relative "extension"
require_relative "failure"
require_relative "loader"
require_relative "phusion_passenger"
require_relative "preloader"
require_relative "progress"
require_relative "worker"

module Passenger
  # From the first message to a loaded application: then this process is a preloader or, without one, a worker.
  module Boot
    CONTROL = 3

    module_function

    def run
      prepare
      progress = Progress.new("loading Passenger's native extension")
      Extension.load
      control = progress.control = Native::Control.new(CONTROL)
      begin
        control.hello(RUBY_VERSION)
        _, order, slots = control.receive
      rescue Disconnected
        exit!(0)
      end
      exit!(0) unless order
      live(load(control, progress, order, slots), progress)
    rescue SignalException
      raise
    rescue Exception => e # rubocop:disable Lint/RescueException
      Failure.new(progress.step, e).report(progress.control || CONTROL)
      exit!(1)
    end

    # A preloader and its workers become each other: what a process is next is returned to here, so that the stack does
    # not grow with the generations.
    def live(role, progress)
      role = role.run(progress) while role
    end

    def prepare
      $stdout.sync = $stderr.sync = true
      # A terminal sends Ctrl-C to all processes in it; who leaves when is the agent's decision. (A block, because
      # programs that the application starts would inherit "IGNORE".)
      trap("INT") { nil }
      # Also asked for when the application does not start in time.
      trap("QUIT") { Diagnosis.print }
    end

    def load(control, progress, order, slots)
      progress.begin("agreeing on the protocol")
      Failure.check_protocol(order[:protocol])
      app = App.new(**order.slice(*App.members))
      rack_app = Loader.new(app, progress).load
      # Only now, because of the libraries that it uses.
      require_relative "request_handler"
      return Preloader.new(app, rack_app, control) unless order[:slots]

      Worker.new(app, rack_app, control, slots, forked: false)
    end
  end
end

Passenger::Boot.run
