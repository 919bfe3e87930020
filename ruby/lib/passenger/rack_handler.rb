# frozen_string_literal: true

require "rbconfig"

module Passenger
  # Runs Passenger for `rackup -s passenger` and `rails server -u passenger`. Passenger's processes load the application
  # themselves, from the file that rackup was given (config.ru), so what rackup has loaded is not used.
  module RackHandler
    EXECUTABLE = File.expand_path("../../exe/passenger", __dir__)

    module_function

    # +options+ are those of rackup: :Host, :Port, :environment, :config. Returns when Passenger has ended.
    def run(_app, **options)
      # A group of its own: Ctrl-C reaches it once, through the traps below, and the caller can clean up after itself.
      pid = Process.spawn(RbConfig.ruby, EXECUTABLE, "start", *arguments(options), pgroup: true)
      %w[INT TERM].each { |signal| trap(signal) { stop(pid) } }
      yield pid if block_given?
      _, status = Process.wait2(pid)
      raise "Passenger has failed (#{status})" unless status.success?
    end

    def valid_options
      { "Host=HOST" => "Hostname to listen on", "Port=PORT" => "Port to listen on" }
    end

    def arguments(options)
      file = options[:config] && File.expand_path(options[:config])
      {
        "--address" => options[:Host], "--port" => options[:Port], "--environment" => options[:environment],
        "--rackup" => (file if file && File.file?(file))
      }.compact.flat_map { |name, value| [name, value.to_s] }
    end

    def stop(pid)
      Process.kill("TERM", pid)
    rescue Errno::ESRCH
      # It has ended by itself.
    end
    private_class_method :arguments, :stop
  end
end
