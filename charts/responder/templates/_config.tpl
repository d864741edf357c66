{{/* The texts of the playbooks by file name, as JSON. Those in the values replace those of the library. */}}
{{- define "responder.playbooks" -}}
{{- $files := dict -}}
{{- if not .Values.existingPlaybooks -}}
{{- range .Values.library -}}
{{- $text := $.Files.Get (printf "library/%s.yaml" .) -}}
{{- if not $text -}}
{{- fail (printf "library: the chart has no playbook %s" .) -}}
{{- end -}}
{{- $_ := set $files (printf "%s.yaml" .) $text -}}
{{- end -}}
{{- range $file, $content := .Values.playbooks -}}
{{- $_ := set $files $file (include "responder.text" $content) -}}
{{- end -}}
{{- if not $files -}}
{{- fail "no playbooks: set library, playbooks or existingPlaybooks" -}}
{{- end -}}
{{- end -}}
{{- toJson $files -}}
{{- end -}}

{{/* The text of a document that is given as text or as YAML. */}}
{{- define "responder.text" -}}
{{- if kindIs "string" . -}}{{- . -}}{{- else -}}{{- toYaml . -}}{{- end -}}
{{- end -}}

{{/* The contents of responder.yaml: the settings of the other values, overridden by `config`. */}}
{{- define "responder.config" -}}
{{- $http := dict -}}
{{- if .Values.auth.enabled -}}
{{- $bearer := dict "name" "senders" "tokenFile" "/secrets/senders/token" -}}
{{- $basic := dict "user" .Values.auth.user "passwordFile" "/secrets/senders/password" -}}
{{- $_ := set $http "auth" (dict "bearer" (list $bearer) "basic" (list $basic)) -}}
{{- end -}}
{{- if and .Values.tls.clientCertificates (not .Values.tls.secretName) -}}{{- fail "tls.secretName: set the Secret with the server's certificate, or client certificates can't be requested" -}}{{- end -}}
{{- if and .Values.tls.allowedNames (not .Values.tls.clientCertificates) -}}{{- fail "tls.clientCertificates: set it to true, or tls.allowedNames has no effect" -}}{{- end -}}
{{- if .Values.tls.secretName -}}
{{- $tls := dict "certificateFile" "/secrets/tls/tls.crt" "keyFile" "/secrets/tls/tls.key" -}}
{{- if .Values.tls.clientCertificates -}}
{{- $_ := set $tls "clientCaFile" "/secrets/tls/ca.crt" -}}
{{- if not .Values.tls.allowedNames -}}{{- fail "tls.allowedNames: list the names that are accepted in client certificates" -}}{{- end -}}
{{- $_ := set $tls "allowedNames" .Values.tls.allowedNames -}}
{{- end -}}
{{- $_ := set $http "tls" $tls -}}
{{- end -}}
{{- $config := dict -}}
{{- if $http -}}{{- $_ := set $config "http" $http -}}{{- end -}}
{{- $config = mustMergeOverwrite $config (deepCopy .Values.config) -}}
{{- if $config -}}
{{- mustMergeOverwrite (dict "apiVersion" "responder.dev/v1alpha1" "kind" "Configuration") $config | toYaml -}}
{{- end -}}
{{- end -}}
