# frozen_string_literal: true

require "json"
require "rack"
require "uri" # Rack::Lint uses it without asking for it

# Base of the handler classes: one instance a request, one public method a path.
class Handler
  def self.dispatch(*handlers)
    lambda do |env|
      _, name, *arguments = env["PATH_INFO"].split("/")
      name = (name || "hello").tr("-", "_")
      handler = handlers.find { |candidate| candidate.public_instance_methods(false).include?(name.to_sym) }
      next [404, { "content-type" => "text/plain" }, ["no such path: #{env['PATH_INFO']}\n"]] unless handler

      handler.new(env).public_send(name, *arguments)
    end
  end

  def initialize(env)
    @env = env
    @params = Rack::Utils.parse_query(env["QUERY_STRING"])
  end

  private

  attr_reader :env, :params

  def text(string, headers = {})
    [200, { "content-type" => "text/plain", "content-length" => string.bytesize.to_s }.merge(headers), [string]]
  end

  def json(value)
    string = JSON.generate(value)
    [200, { "content-type" => "application/json", "content-length" => string.bytesize.to_s }, [string]]
  end
end
