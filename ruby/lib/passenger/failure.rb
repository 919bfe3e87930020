# frozen_string_literal: true

require_relative "backtrace"

module Passenger
  # Why a process could not do what it was told.
  class Failure
    # Raises unless the agent speaks our version of the control protocol.
    def self.check_protocol(theirs)
      return if theirs == Native::PROTOCOL

      raise "the agent speaks control protocol #{theirs}, this gem (#{VERSION}) speaks #{Native::PROTOCOL}; " \
            "install the same version of Passenger for both"
    end

    def initialize(step, error)
      @step = step
      @error = error
    end

    # Tells the agent, over a Control or, where there is no extension to make one, over its bare descriptor.
    def report(control)
      return control.failed(@step, reason, output) unless control.is_a?(Integer)

      # No library for JSON may be loaded here, and none is needed. A character takes up to six bytes.
      members = { message: "failed", step: @step, reason: reason[0, 1000], output: output[-5000..] || output }
      packet = members.map { |name, text| %("#{name}":"#{escape(text)}") }.join(",")
      IO.for_fd(control, "w", autoclose: false).syswrite("{#{packet}}")
    rescue SystemCallError, IOError
      # The agent is gone. Whoever reads the output may still want to know.
      warn(output)
    end

    private

    def reason
      @error.is_a?(SystemExit) ? "SystemExit: the application called exit(#{@error.status})" : Backtrace.title(@error)
    end

    def output
      [Backtrace.describe(@error), remedy].compact.join("\n")
    end

    def remedy
      case @error.class.name
      when "Bundler::GemNotFound", "Bundler::GitError"
        "Install the gems of #{Dir.pwd} with `bundle install`, using #{RbConfig.ruby}."
      when "Bundler::RubyVersionMismatch"
        "Choose the Ruby that the Gemfile asks for with --ruby."
      when "LoadError"
        load_remedy(@error.path)
      end
    end

    def load_remedy(path)
      case path
      when "rack" then "Add `gem \"rack\"` to the Gemfile, or install it with `gem install rack`."
      when "bundler/setup" then "There is a Gemfile: install Bundler with `#{RbConfig.ruby} -S gem install bundler`."
      end
    end

    def escape(text)
      text.gsub(/["\\\u0000-\u001f]/) { |character| format("\\u%04x", character.ord) }
    end
  end
end
