# frozen_string_literal: true

require "stringio"
require "uri" # which Rack::Lint 2.2 uses and does not load
require_relative "backtrace"
require_relative "error_report"
require_relative "headers"
require_relative "hijack"
require_relative "null_input"
require_relative "response"
require_relative "version"

module Passenger
  # Serves one slot: takes its requests, one after the other, to the application, and the answers back. To be loaded
  # when the application's Bundler is set up, because of the libraries that it uses.
  class RequestHandler
    ALWAYS_SET = %w[
      REQUEST_METHOD REQUEST_URI REQUEST_PATH PATH_INFO QUERY_STRING SERVER_PROTOCOL HTTP_VERSION SERVER_NAME
      SERVER_PORT REMOTE_ADDR rack.after_reply rack.response_finished
    ].freeze

    # +slot+ is the descriptor of the slot's data channel, +app+ an App, +rack_app+ what answers.
    def initialize(slot, app, rack_app)
      @rack_app = rack_app
      @show_errors = app.show_errors
      @channel = Native::Channel.new(slot, template(app), StringIO)
    end

    # Returns when the agent or #shutdown has ended the channel, and all that had arrived is answered.
    def serve
      while (env = @channel.next_request)
        handle(env)
        @env = nil
      end
    rescue Disconnected
      # The agent is gone: nobody waits for an answer.
    ensure
      @channel.close
    end

    # For any thread.
    def shutdown
      @channel.shutdown
    end

    # Method and path of the request that is being served; nil if there is none. For any thread.
    def request_line
      env = @env
      env.values_at("REQUEST_METHOD", "REQUEST_PATH").map { |part| Backtrace.text(part) }.join(" ") if env
    end

    private

    def handle(env)
      @env = env
      status, headers, body = @rack_app.call(env)
      unless body.instance_of?(Array) && !@hijack && @channel.respond(status, headers, body)
        deliver(env, status, headers, body)
      end
      finish(env, status, headers) unless env["rack.after_reply"].empty? && env["rack.response_finished"].empty?
    rescue Exception => e # rubocop:disable Lint/RescueException
      # An Interrupt, too: signals reach the main thread only, so in this one the application has raised it.
      recover(env, e)
    end

    def deliver(env, status, headers, body)
      return Response.new(@channel, env, status, headers, body).deliver unless @hijack

      @hijack = nil
      body.close if body.respond_to?(:close)
    end

    # Whatever the application raises, the client gets an answer and the worker goes on. That holds for `exit`, too, as
    # in Puma: one request must not end those of other threads.
    def recover(env, error)
      @hijack = nil
      unless error.is_a?(Disconnected)
        report = ErrorReport.new(error, env)
        guard { $stderr.write(report.to_log) }
        guard { @channel.respond(500, *report.to_rack(@show_errors)) } unless @channel.begun?
      end
      @channel.cancel
      finish(env, nil, nil, error)
    end

    # What the application wants to be done once the answer is out.
    def finish(env, status, headers, error = nil)
      @channel.flush
      env["rack.after_reply"].each { |callable| guard { callable.call } }
      env["rack.response_finished"].reverse_each { |callable| guard { callable.call(env, status, headers, error) } }
    end

    def guard
      yield
    rescue Disconnected
      raise
    rescue StandardError => e
      $stderr.write(ErrorReport.new(e, @env).to_log)
    end

    # rack.hijack
    def hijack
      @hijack ||= @env["rack.hijack_io"] = Hijack.take_over(@channel)
    end

    # rack.early_hints
    def send_early_hints(headers)
      @channel.inform(103, Headers.plain(headers))
    end

    # What all environments have in common, and a place for what each request sets anew: that is faster than adding it.
    def template(app)
      constants = {
        "rack.version" => [1, 6].freeze,
        "rack.errors" => $stderr,
        "rack.multithread" => app.multithread,
        "rack.multiprocess" => true,
        "rack.run_once" => false,
        "rack.hijack?" => true,
        "rack.hijack" => method(:hijack),
        "rack.early_hints" => method(:send_early_hints),
        "rack.url_scheme" => "http",
        "rack.input" => NullInput.new.freeze,
        "SCRIPT_NAME" => "",
        "SERVER_SOFTWARE" => "Phusion_Passenger/#{VERSION}",
        "GATEWAY_INTERFACE" => "CGI/1.2"
      }
      with_room(constants.merge(ALWAYS_SET.to_h { |name| [name, ""] }))
    end

    # Ruby gives a hash with more than 32 entries room for 64, and its copies too: enough for the headers.
    def with_room(hash)
      fillers = Array.new([33 - hash.size, 0].max) { |index| [index, nil] }.to_h
      fillers.merge(hash).tap { |roomy| fillers.each_key { |index| roomy.delete(index) } }
    end
  end
end
