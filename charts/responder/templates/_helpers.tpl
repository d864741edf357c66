{{- define "responder.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 50 characters: a label has 63, and suffixes follow. */}}
{{- define "responder.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "responder.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "responder.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* For cluster-scoped objects: releases in two namespaces must not share one. */}}
{{- define "responder.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "responder.fullname" .) -}}
{{- end -}}

{{- define "responder.selector" -}}
app.kubernetes.io/name: {{ include "responder.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "responder.labels" -}}
{{ include "responder.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "responder.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "responder.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name: set it, because serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "responder.image" -}}
{{- $repository := required "image.repository: set the repository that you pushed the image to, such as registry.example/responder" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the credentials of the senders. */}}
{{- define "responder.sendersSecret" -}}
{{- default (printf "%s-senders" (include "responder.fullname" .)) .Values.auth.existingSecret -}}
{{- end -}}

{{/* The ConfigMap with the playbooks. */}}
{{- define "responder.playbooksConfigMap" -}}
{{- default (printf "%s-playbooks" (include "responder.fullname" .)) .Values.existingPlaybooks -}}
{{- end -}}

{{/* The port of the pages for probes and metrics. */}}
{{- define "responder.probesPort" -}}
{{- regexFind "[0-9]+$" .Values.probes.listen -}}
{{- end -}}

{{/*
A label selector as an expression over the labels of a namespace.
*/}}
{{- define "responder.selects" -}}
{{- $all := list -}}
{{- range $key, $value := default dict .matchLabels -}}
{{- $key = toJson $key -}}
{{- $all = append $all (printf "%s in variables.labels && variables.labels[%s] == %s" $key $key (toString $value | toJson)) -}}
{{- end -}}
{{- range default list .matchExpressions -}}
{{- $key := toJson .key -}}
{{- $is := printf "%s in variables.labels" $key -}}
{{- $in := printf "%s && variables.labels[%s] in %s" $is $key (default list .values | toJson) -}}
{{- if eq .operator "In" -}}
{{- $all = append $all $in -}}
{{- else if eq .operator "NotIn" -}}
{{- $all = append $all (printf "!(%s)" $in) -}}
{{- else if eq .operator "Exists" -}}
{{- $all = append $all $is -}}
{{- else if eq .operator "DoesNotExist" -}}
{{- $all = append $all (printf "!(%s)" $is) -}}
{{- else -}}
{{- fail (printf "a guard selects namespaces with the operator %s: use In, NotIn, Exists or DoesNotExist" .operator) -}}
{{- end -}}
{{- end -}}
{{- if $all -}}({{ join " && " $all }}){{- else -}}true{{- end -}}
{{- end -}}
